package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// figuresFile is the environment variable with the file that a simulation writes its
// figures to.
const figuresFile = "LOREHOOK_BENCH_FIGURES"

// simulated returns what runs a simulation of this package, which is a test: simulated time
// exists in tests only.
func simulated(test string) func(context.Context) ([]figure, error) {
	return func(ctx context.Context) ([]figure, error) {
		root, err := devstack.Root()
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", "lorehook-bench-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "figures.json")
		command := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "^"+test+"$", "./scripts/bench")
		command.Dir, command.Env = root, append(os.Environ(), figuresFile+"="+file)
		if out, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", test, err, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var all struct{ Figures []figure }
		err = json.Unmarshal(text, &all)
		return all.Figures, err
	}
}
