package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/test/engines"
)

// suite is a set of tests that may catch a mutation.
type suite struct {
	name string
	args []string
}

// The suites. The seed of the model is fixed, so that the score is the same
// each time.
func model() suite {
	return suite{"model", []string{"./test/suites/model", "-run", "TestModelOfInterleavings",
		"-rapid.checks=400", "-rapid.seed=20261102", "-rapid.shrinktime=0s", "-rapid.nofailfile"}}
}

// conformance is asked on the reference engine alone: what falls there falls by
// DynamoDB's own word.
func conformance() suite {
	return suite{"conformance", []string{"./test/suites/conformance", "-run", "TestEnginesDoWhatTheCodeReliesOn/dynamodb-local"}}
}

func invariants() suite { return suite{"invariants", []string{"./test/suites/invariants"}} }

// recovery is test/suites/reliability without its enumerations.
func recovery() suite {
	return suite{"recovery", []string{"./test/suites/reliability", "-skip", "^TestWh"}}
}

// mutation is one rule of the code, broken.
type mutation struct {
	name  string
	edits []edit
	// suites are asked in this order.
	suites []suite
}

// edit replaces the one place where old stands in a file.
type edit struct{ file, old, new string }

// caughtBy returns the name of the first suite that fails under the mutation,
// or "". A mutation that does not compile, or whose place is gone, is an error.
func (m mutation) caughtBy(ctx context.Context, root string) (string, error) {
	dir, err := os.MkdirTemp("", "lorehook-mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return "", err
	}
	for _, s := range m.suites {
		if out, err := goTool(ctx, root, "vet", "-overlay="+overlay, s.args[0]); err != nil {
			return "", fmt.Errorf("it does not compile: %s", out)
		}
		out, err := goTool(ctx, root, append([]string{"test", "-count=1", "-failfast", "-overlay=" + overlay}, s.args...)...)
		var failed *exec.ExitError
		switch {
		case errors.As(err, &failed) && ctx.Err() == nil:
			if !fell(out) {
				return "", fmt.Errorf("%s ended without a test that failed:\n%s", s.name, out)
			}
			if path := os.Getenv("MUTANTS_LOG"); path != "" {
				_ = os.WriteFile(filepath.Join(path, strings.ReplaceAll(m.name, " ", "-")+".log"), out, 0o600) // for the curious
			}
			return s.name, nil
		case err != nil:
			return "", err
		}
	}
	return "", nil
}

// fell reports whether a test failed: not the build, an engine or the time.
func fell(out []byte) bool {
	return bytes.Contains(out, []byte("--- FAIL: ")) && !bytes.Contains(out, []byte("panic: test timed out"))
}

// sound runs the suites on the code as it is: where one fails, being caught
// means nothing.
func sound(ctx context.Context, root string, chosen []mutation) error {
	tried := map[string]bool{}
	for _, m := range chosen {
		for _, s := range m.suites {
			if tried[s.name] {
				continue
			}
			tried[s.name] = true
			began := time.Now()
			if out, err := goTool(ctx, root, append([]string{"test", "-count=1"}, s.args...)...); err != nil {
				return fmt.Errorf("%s fails without any mutation: %w\n%s", s.name, err, out)
			}
			fmt.Printf("without a mutation  %-70s passes %26.0f s\n", s.name, time.Since(began).Seconds())
		}
	}
	return nil
}

// overlay writes the mutated files and the list that lays them over the tree.
func (m mutation) overlay(root, dir string) (string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		text, ok := files[e.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return "", err
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("%s holds %d times what is to be replaced: %q", e.file, n, e.old)
		}
		files[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	replace := map[string]string{}
	for file, text := range files {
		mutated := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(mutated, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = mutated
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, raw, 0o600)
}

func goTool(ctx context.Context, root string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), engines.RequireEnv+"=1")
	return cmd.CombinedOutput()
}
