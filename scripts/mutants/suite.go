package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/test/engines"
)

// suite is a set of tests that may catch a mutation, given as arguments of go
// test and additions to its environment.
type suite struct {
	name string
	args []string
	env  []string
}

// The suites. The seed of the model is fixed, so that the score is the same
// each time.
func model() suite {
	return suite{name: "model", args: []string{"./test/suites/model", "-run", "TestModelOfInterleavings",
		"-rapid.checks=400", "-rapid.seed=20261102", "-rapid.shrinktime=0s", "-rapid.nofailfile"}}
}

// conformance runs on the reference engine only. A failure there is one on
// DynamoDB itself.
func conformance() suite {
	return suite{name: "conformance", args: []string{"./test/suites/conformance", "-run", "TestEnginesDoWhatTheCodeReliesOn/dynamodb-local"}}
}

func invariants() suite { return suite{name: "invariants", args: []string{"./test/suites/invariants"}} }

// recovery is test/suites/reliability without its enumerations.
func recovery() suite {
	return suite{name: "recovery", args: []string{"./test/suites/reliability", "-skip", "^TestWh"}}
}

// mutation is one rule of the code, broken.
type mutation struct {
	name  string
	edits []edit
	// suites run in this order, after the tests of the owning packages.
	suites []suite
}

// edit replaces the only occurrence of old in a file.
type edit struct{ file, old, new string }

// owners are the packages of the mutated files, as arguments of go test.
func (m mutation) owners() []string {
	var packages []string
	for _, e := range m.edits {
		if owner := "./" + path.Dir(e.file); !slices.Contains(packages, owner) {
			packages = append(packages, owner)
		}
	}
	return packages
}

// try runs the tests of the mutation's own packages and then its suites, until
// one of these fails.
func (m mutation) try(ctx context.Context, root string, fast bool) (r result) {
	began := time.Now()
	r = result{Name: m.name, Packages: m.owners()}
	defer func() { r.Seconds = time.Since(began).Seconds() }()
	broken := func(err error) result {
		r.Broken = err.Error()
		return r
	}
	dir, err := os.MkdirTemp("", "lorehook-mutant-")
	if err != nil {
		return broken(err)
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return broken(err)
	}
	if r.Own, err = m.fails(ctx, root, overlay, suite{name: "own", args: r.Packages}); err != nil {
		return broken(err)
	}
	if r.Fast = fast && r.Own; r.Fast {
		return r
	}
	for _, s := range m.suites {
		failed, err := m.fails(ctx, root, overlay, s)
		if err != nil {
			return broken(err)
		}
		if failed {
			r.Suite = s.name
			return r
		}
	}
	return r
}

// fails reports whether a test of the suite fails under the mutation. A
// mutation that does not compile, or a suite that ends any other way, is an
// error.
func (m mutation) fails(ctx context.Context, root, overlay string, s suite) (bool, error) {
	// A finding of vet in mutated code does not count as a failed test.
	out, err := s.run(ctx, root, "-failfast", "-vet=off", "-overlay="+overlay)
	if err == nil {
		return false, nil
	}
	var failed *exec.ExitError
	switch {
	case !errors.As(err, &failed) || ctx.Err() != nil:
		return false, err
	case !built(out):
		return false, fmt.Errorf("it does not compile:\n%s", out)
	case !fell(out):
		return false, fmt.Errorf("%s ended without a failed test:\n%s", s.name, out)
	}
	if logs := os.Getenv("MUTANTS_LOG"); logs != "" {
		name := strings.NewReplacer(" ", "-", "/", "-").Replace(m.name + "." + s.name)
		_ = os.WriteFile(filepath.Join(logs, name+".log"), out, 0o600) // a debugging aid, not a result
	}
	return true, nil
}

// built reports whether every package compiled.
func built(out []byte) bool {
	return !bytes.Contains(out, []byte(" [build failed]\n")) && !bytes.Contains(out, []byte(" [setup failed]\n"))
}

// fell reports whether a test failed, rather than an engine or a time limit.
func fell(out []byte) bool {
	return bytes.Contains(out, []byte("--- FAIL: ")) && !bytes.Contains(out, []byte("panic: test timed out"))
}

// sound runs the suites and the owning packages' tests on the unchanged code:
// catching a mutation means nothing for a suite that fails anyway.
func sound(ctx context.Context, root string, chosen []mutation, saved *store) error {
	for _, s := range asked(chosen) {
		if saved.data.Sound[s.name] {
			continue
		}
		began := time.Now()
		if out, err := s.run(ctx, root); err != nil {
			return fmt.Errorf("%s fails without any mutation: %w\n%s", s.name, err, out)
		}
		fmt.Printf("without a mutation, %s passes in %.0f s\n", s.name, time.Since(began).Seconds())
		if err := saved.keepSound(s.name); err != nil {
			return err
		}
	}
	return nil
}

// asked lists the test sets that the mutations need, without duplicates,
// packages first.
func asked(chosen []mutation) []suite {
	var packages, suites []suite
	add := func(to *[]suite, s suite) {
		if !slices.ContainsFunc(*to, func(have suite) bool { return have.name == s.name }) {
			*to = append(*to, s)
		}
	}
	for _, m := range chosen {
		for _, owner := range m.owners() {
			add(&packages, suite{name: owner, args: []string{owner}})
		}
		for _, s := range m.suites {
			add(&suites, s)
		}
	}
	return append(packages, suites...)
}

// overlay writes the mutated files and the overlay list for the compiler.
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
			return "", fmt.Errorf("%s contains the text to replace %d times, not once: %q", e.file, n, e.old)
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
	list := filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, raw, 0o600)
}

// run runs the suite's tests with further flags of go test, and returns their
// output.
func (s suite) run(ctx context.Context, root string, flags ...string) ([]byte, error) {
	args := slices.Concat([]string{"test", "-count=1"}, flags, s.args)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = slices.Concat(os.Environ(), []string{engines.RequireEnv + "=1"}, s.env)
	return cmd.CombinedOutput()
}
