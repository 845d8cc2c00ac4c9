package cost

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// Checkout returns the project's directory, and the template of [Synthesize], for a
// command: it says on stderr what takes time.
func Checkout(ctx context.Context) (root string, template []byte, err error) {
	if root, err = devstack.Root(); err != nil {
		return "", nil, err
	}
	fmt.Fprintln(os.Stderr, "Synthesizing the template …")
	template, err = Synthesize(ctx, root)
	return root, template, err
}

// Synthesize returns the template of a stack with default settings, from ./infra in the
// project's directory. The functions need not be compiled: a template has their hashes
// only.
func Synthesize(ctx context.Context, root string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "lorehook-cost-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	lambdas := filepath.Join(dir, "lambda")
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		return nil, err
	}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		target := filepath.Join(lambdas, "arm64", name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(target, "bootstrap"), []byte(name), 0o755); err != nil {
			return nil, err
		}
	}
	values, err := json.Marshal(map[string]string{"lambdaDir": lambdas, "projects": "*"})
	if err != nil {
		return nil, err
	}
	app := exec.CommandContext(ctx, "go", "run", "./infra")
	app.Dir = root
	app.Env = append(os.Environ(), "CDK_OUTDIR="+filepath.Join(dir, "out"), "CDK_CONTEXT_JSON="+string(values),
		"CDK_DEFAULT_ACCOUNT=", "CDK_DEFAULT_REGION=", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	if out, err := app.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("synthesize ./infra: %w\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "out", "Lorehook.template.json"))
}
