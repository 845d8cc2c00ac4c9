package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module is a module with a rule, a quick test of it and a slow one.
func module(t *testing.T) *soundness {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.com/rules\n\ngo 1.25\n")
	write(t, filepath.Join(root, "a", "a.go"), "package a\n\nfunc Less(x, y int) bool { return x < y }\n")
	write(t, filepath.Join(root, "a", "a_test.go"), `package a

import "testing"

func TestLess(t *testing.T) {
	if !Less(1, 2) {
		t.Error("1 is less than 2")
	}
}

func TestLess_Equal(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	if Less(1, 1) {
		t.Error("1 is not less than 1")
	}
}
`)
	return &soundness{root: root, saved: mustOpen(t, filepath.Join(root, ".local", "mutants.json"), root, false), suites: map[string]func() error{}}
}

func broken(name, rule string) mutation {
	return mutation{name: name, edits: []edit{{"a/a.go", "x < y", rule}}, suites: []suite{{name: "all", args: []string{"./..."}}}}
}

func TestTry_AsksSlowTestsOnlyIfQuickOnesCatchNothing(t *testing.T) {
	sound := module(t)
	for rule, slow := range map[string]bool{"x > y": false, "x <= y": true} {
		r, err := broken(rule, rule).try(t.Context(), sound, true)
		if err != nil || r.Broken != "" || !r.Own || !r.Fast {
			t.Errorf("%s: %+v, %v", rule, r, err)
		}
		if sound.saved.sound("./a") != slow && slow {
			t.Errorf("%s: the slow tests were not run", rule)
		}
	}
	r, err := broken("none", "x+1 < y+1").try(t.Context(), sound, true)
	if err != nil || r.caught() || r.Broken != "" {
		t.Errorf("a change that breaks nothing: %+v, %v", r, err)
	}
	if diff := cmp.Diff(map[string]bool{"./a -short": true, "./a": true, "all": true}, sound.saved.data.Sound); diff != "" {
		t.Error(diff)
	}
}

func TestTry_EndsTheRunIfTestsFailWithoutAMutation(t *testing.T) {
	sound := module(t)
	if err := os.WriteFile(filepath.Join(sound.root, "a", "b_test.go"), []byte("package a\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Error(1) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := broken("any", "x > y").try(t.Context(), sound, true)
	var unsound *unsoundError
	if !errors.As(err, &unsound) {
		t.Errorf("got %v", err)
	}
}
