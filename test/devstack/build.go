package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// Platform is the operating system and architecture that a Lambda is compiled
// for.
type Platform struct {
	// OS and Arch are Go's names.
	OS, Arch string
}

// AWS is the platform of the real Lambdas.
func AWS() Platform { return Platform{OS: "linux", Arch: "arm64"} }

// Host is this machine: local Lambdas run as its processes.
func Host() Platform { return Platform{OS: runtime.GOOS, Arch: runtime.GOARCH} }

// Architecture returns Lambda's name for the platform's architecture.
func (p Platform) Architecture() string {
	if p.Arch == "amd64" {
		return "x86_64"
	}
	return p.Arch
}

// LambdaDir returns the folder that contains each function's folder with its
// bootstrap.
func LambdaDir(root string, p Platform) string {
	return filepath.Join(root, ".build", "lambda", p.Architecture())
}

// LambdaTags are the build tags of the functions.
const LambdaTags = "lambda.norpc"

// BuildLambdas compiles each functions/<name> to <name>/bootstrap in
// [LambdaDir] and returns the names. Unchanged files are left alone.
func BuildLambdas(ctx context.Context, root string, p Platform) ([]string, error) {
	unlock, err := lockFile(filepath.Join(root, ".build", "lambda.lock"))
	if err != nil {
		return nil, fmt.Errorf("build lambdas: %w", err)
	}
	defer unlock()
	dir := LambdaDir(root, p)
	linked := filepath.Join(root, ".build", "linked", p.OS+"-"+p.Arch)
	for _, d := range []string{dir, linked} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("build lambdas: %w", err)
		}
	}
	// One command for all, because go links only what changed.
	if err := BuildAs(ctx, root, p, linked+string(filepath.Separator), "./functions/..."); err != nil {
		return nil, err
	}
	return placeBootstraps(root, linked, dir)
}

// BuildAs compiles packages as the functions are compiled. -buildvcs=false makes binaries
// change only with their code.
func BuildAs(ctx context.Context, root string, p Platform, out, packages string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", LambdaTags, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, packages)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build lambdas: %w\n%s", err, out)
	}
	return nil
}

// Functions returns the names of the functions.
func Functions(root string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		return nil, fmt.Errorf("functions: %w", err)
	}
	var names []string
	for _, main := range mains {
		names = append(names, filepath.Base(filepath.Dir(main)))
	}
	return names, nil
}

func placeBootstraps(root, linked, dir string) ([]string, error) {
	names, err := Functions(root)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := copyIfChanged(filepath.Join(linked, name), filepath.Join(dir, name, "bootstrap")); err != nil {
			return nil, fmt.Errorf("build lambdas: %s: %w", name, err)
		}
	}
	return names, nil
}

func copyIfChanged(from, to string) error {
	have, err := hashFile(to)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	want, err := hashFile(from)
	if err != nil || want == have {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	// Rename, so that the final name never refers to a partial file.
	if err := os.WriteFile(to+".new", b, 0o755); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// lockFile waits for the file's lock and returns a function that releases it.
func lockFile(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}
