package main

import (
	"bytes"
	"cmp"
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
	"sync"
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
// one of these fails. The error says that there can be no result: a set of tests fails
// without a mutation, or ctx ended.
func (m mutation) try(ctx context.Context, sound *soundness, fast bool) (result, error) {
	began := time.Now()
	r := result{Name: m.name, Packages: m.owners()}
	err := m.into(ctx, sound, fast, &r)
	r.Seconds = time.Since(began).Seconds()
	var unsound *unsoundError
	if ctx.Err() != nil || errors.As(err, &unsound) {
		return r, cmp.Or(ctx.Err(), err)
	}
	if err != nil {
		r.Broken = err.Error()
	}
	return r, nil
}

func (m mutation) into(ctx context.Context, sound *soundness, fast bool, r *result) error {
	dir, err := os.MkdirTemp("", "lorehook-mutant-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(sound.root, dir)
	if err != nil {
		return err
	}
	for _, s := range owning(r.Packages) {
		if r.Own, err = m.fails(ctx, sound, overlay, s); r.Own || err != nil {
			break
		}
	}
	if r.Fast = fast && r.Own; r.Fast || err != nil {
		return err
	}
	for _, s := range m.suites {
		failed, err := m.fails(ctx, sound, overlay, s)
		if err != nil {
			return err
		}
		if failed {
			r.Suite = s.name
			return nil
		}
	}
	return nil
}

// owning are the tests of the packages: first those that are not slow, which catch
// nearly every mutation.
func owning(packages []string) []suite {
	name := strings.Join(packages, " ")
	return []suite{
		{name: name + " -short", args: append([]string{"-short"}, packages...)},
		{name: name, args: packages},
	}
}

// fails reports whether a test of the suite fails under the mutation. A
// mutation that does not compile, or a suite that ends any other way, is an
// error.
func (m mutation) fails(ctx context.Context, sound *soundness, overlay string, s suite) (bool, error) {
	if err := sound.check(ctx, s); err != nil {
		return false, err
	}
	// A finding of vet in mutated code does not count as a failed test.
	out, err := s.run(ctx, sound.root, "-failfast", "-vet=off", "-overlay="+overlay)
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

// soundness runs each suite once on the unchanged code, before the first mutation that
// it is to catch: catching a mutation means nothing for a suite that fails anyway.
type soundness struct {
	root  string
	saved *store

	mu     sync.Mutex
	suites map[string]func() error
}

// check returns an error if the suite fails without any mutation.
func (c *soundness) check(ctx context.Context, s suite) error {
	c.mu.Lock()
	once := c.suites[s.name]
	if once == nil {
		once = sync.OnceValue(func() error { return c.prove(ctx, s) })
		c.suites[s.name] = once
	}
	c.mu.Unlock()
	return once()
}

func (c *soundness) prove(ctx context.Context, s suite) error {
	if c.saved.sound(s.name) {
		return nil
	}
	began := time.Now()
	if out, err := s.run(ctx, c.root); err != nil {
		return &unsoundError{fmt.Errorf("%s fails without any mutation: %w\n%s", s.name, err, out)}
	}
	fmt.Printf("without a mutation, %s passes in %.0f s\n", s.name, time.Since(began).Seconds())
	return c.saved.keepSound(s.name)
}

// unsoundError reports a suite that fails without any mutation. It ends the run.
type unsoundError struct{ error }

func (e *unsoundError) Unwrap() error { return e.error }

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
// output. They are linked without tables for a debugger, in half the time.
func (s suite) run(ctx context.Context, root string, flags ...string) ([]byte, error) {
	args := slices.Concat([]string{"test", "-count=1", "-ldflags=-s -w"}, flags, s.args)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = slices.Concat(os.Environ(), []string{engines.RequireEnv + "=1"}, s.env)
	return cmd.CombinedOutput()
}
