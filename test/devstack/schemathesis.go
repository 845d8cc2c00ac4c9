package devstack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// FullContract reports whether as many calls are to be invented as ever are: in make
// contract, which is too slow for every make test.
func FullContract() bool { return os.Getenv("LOREHOOK_FULL_CONTRACT") != "" }

// Schemathesis calls the API at the base URL in every way that its description
// (a URL or file) allows, and in many that it does not, and compares the
// responses with it. The calls are the same each time; examples limits how many
// are generated per operation. It returns the output, and an error if a
// response does not match the description.
func Schemathesis(ctx context.Context, description, base string, examples int, args ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	python := filepath.Join(root, LocalDir, "schemathesis", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return "", fmt.Errorf("schemathesis is %w: install Python 3.11, then run scripts/setup schemathesis", ErrNotInstalled)
	}
	dir, err := os.MkdirTemp("", "lorehook-schemathesis-")
	if err != nil {
		return "", fmt.Errorf("schemathesis: %w", err)
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, python, append([]string{
		"-m", "schemathesis.cli", "--no-color", "--config-file", filepath.Join(root, "scripts", "schemathesis", "schemathesis.toml"),
		"run", description, "--url", base, "--max-examples", strconv.Itoa(examples),
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "COLUMNS=120"}
	cmd.SysProcAttr = processAttributes(false)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("schemathesis: %w", err)
	}
	return out.String(), nil
}
