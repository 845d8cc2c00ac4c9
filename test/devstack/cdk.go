package devstack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// cdk runs the pinned CDK CLI.
type cdk struct {
	root string
	// dir is its working directory: not root, whose cdk.context.json holds the
	// settings of real deployments.
	dir string
	// endpoint is the URL of the local AWS; "" if none is needed.
	endpoint string
}

func (c cdk) run(ctx context.Context, args ...string) error {
	bin := filepath.Join(c.root, LocalDir, "cdk", "node_modules", ".bin", "cdk")
	if _, err := os.Stat(bin); err != nil {
		return fmt.Errorf("the CDK CLI is %w: run scripts/setup cdk", ErrNotInstalled)
	}
	cmd := exec.CommandContext(ctx, bin, append([]string{"--no-notices", "--no-version-reporting", "--ci"}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(withoutAWS(os.Environ()),
		// Node 20 does, also after its end.
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20",
		"AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true",
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"AWS_REGION="+Region, "AWS_DEFAULT_REGION="+Region,
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey,
		"AWS_EC2_METADATA_DISABLED=true")
	if c.endpoint != "" {
		cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+c.endpoint)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cdk %s: %w\n%s", args[0], err, out.Bytes())
	}
	return nil
}

// withoutAWS drops the caller's AWS settings, so that nothing local ever
// reaches a real account.
func withoutAWS(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "CDK_")
	})
}

func infraBinary(root string) string { return filepath.Join(root, ".build", "infra") }

// synth writes the cloud assembly to dir.
func (c cdk) synth(ctx context.Context, dir string, values map[string]string) error {
	app := infraBinary(c.root)
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", app, "./infra")
	build.Dir = c.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build ./infra: %w\n%s", err, out)
	}
	args := []string{"synth", "--quiet", "--app", app, "--output", dir, "--context", "lambdaDir=" + filepath.Join(c.root, ".build", "lambda")}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		args = append(args, "--context", k+"="+values[k])
	}
	return c.run(ctx, args...)
}

// fingerprint hashes everything that the cloud assembly depends on: the sources
// of ./infra and of the packages it imports, its other files, the modules, the
// context values, and the Lambdas.
func (c cdk) fingerprint(ctx context.Context, values map[string]string, p Platform) (string, error) {
	files, err := c.sources(ctx)
	if err != nil {
		return "", err
	}
	for _, dir := range []string{filepath.Join(c.root, "infra"), LambdaDir(c.root, p)} {
		more, err := filesIn(dir)
		if err != nil {
			return "", err
		}
		files = append(files, more...)
	}
	if bundle := values["gitlabCaBundle"]; bundle != "" {
		files = append(files, bundle)
	}
	files = append(files, "go.mod", "go.sum", "cdk.json", filepath.Join("scripts", "cdk", "package-lock.json"))
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(h, "%s=%s\n", k, values[k])
	}
	for _, f := range files {
		if !filepath.IsAbs(f) {
			f = filepath.Join(c.root, f)
		}
		sum, err := hashFile(f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(h, "%s %s\n", sum, f)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sources lists the Go files of ./infra and of the packages of this module
// that it imports.
func (c cdk) sources(ctx context.Context) ([]string, error) {
	const format = `{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f", format, "./infra")
	cmd.Dir = c.root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list ./infra: %w\n%s", err, stderr.Bytes())
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(f string) bool { return f == "" }), nil
}

func filesIn(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	return files, err
}
