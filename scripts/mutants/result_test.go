package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoreKeepsResultsOfTheSameSourcesOnly(t *testing.T) {
	root, path := t.TempDir(), filepath.Join(t.TempDir(), ".local", "mutants.json")
	source := filepath.Join(root, "a.go")
	write(t, source, "package a")
	want := result{Name: "guard off", Packages: []string{"./internal/a"}, Own: true, Suite: "model", Seconds: 3}
	first := mustOpen(t, path, root, false)
	if err := first.keep(want); err != nil {
		t.Fatal(err)
	}
	if err := first.keep(result{Name: "broken", Broken: "the engine did not start"}); err != nil {
		t.Fatal(err)
	}

	got, ok := mustOpen(t, path, root, false).result(want.Name, false)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("after an interruption (-want +got):\n%s", diff)
	}
	if _, ok := mustOpen(t, path, root, false).result("broken", false); ok {
		t.Error("a mutation that could not be tried was saved")
	}
	if _, ok := mustOpen(t, path, root, true).result(want.Name, false); ok {
		t.Error("-again reused a result")
	}
	write(t, source, "package b")
	if _, ok := mustOpen(t, path, root, false).result(want.Name, false); ok {
		t.Error("a result of other sources was reused")
	}
}

func TestStoreReusesAFastResultInFastRunsOnly(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "mutants.json"), t.TempDir(), false)
	if err := s.keep(result{Name: "guard off", Own: true, Fast: true}); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.result("guard off", true); !ok {
		t.Error("a fast run did not reuse the result of a fast run")
	}
	if _, ok := s.result("guard off", false); ok {
		t.Error("a full run reused a result without suites")
	}
}

func TestHashOfIgnoresWhatIsBuiltAndInstalled(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "a.go"), "package a")
	before, err := hashOf(root)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, ".local", "stamps", "cdk"), "1")
	write(t, filepath.Join(root, "node_modules", "a.js"), "1")
	if after, err := hashOf(root); err != nil || after != before {
		t.Errorf("the hash changed (%v)", err)
	}
	write(t, filepath.Join(root, "testdata", "a.json"), "{}")
	if after, err := hashOf(root); err != nil || after == before {
		t.Errorf("the hash did not change with a test's data (%v)", err)
	}
}

func TestScoreCountsAMutationThatEitherSideCaught(t *testing.T) {
	text, all := score([]result{
		{Name: "both", Own: true, Suite: "model"}, {Name: "own", Own: true},
		{Name: "suite", Suite: "model"}, {Name: "fast", Own: true, Fast: true},
	})
	if last := "Caught 4 of 4; 3 by their own package's tests.\n"; !all || !strings.HasSuffix(text, last) {
		t.Errorf("got %v and\n%s", all, text)
	}
	text, all = score([]result{{Name: "both", Own: true, Suite: "model"}, {Name: "nobody"}, {Name: "broken", Own: true, Broken: "it does not compile"}})
	if last := "Caught 1 of 3; 2 by their own package's tests.\n"; all || !strings.HasSuffix(text, last) {
		t.Errorf("with survivors, got %v and\n%s", all, text)
	}
}

func TestFallenNeedsACompiledPackageAndAFailedTest(t *testing.T) {
	for name, c := range map[string]struct {
		out         string
		built, fell bool
	}{
		"a failed test":     {"--- FAIL: TestA (0.00s)\nFAIL\ta\t0.1s\nFAIL\n", true, true},
		"a failed build":    {"# a\na.go:1:1: x\nFAIL\ta [build failed]\nFAIL\n", false, false},
		"a failed TestMain": {"engine did not start\nFAIL\ta\t0.1s\nFAIL\n", true, false},
		"a timeout":         {"panic: test timed out after 1s\n--- FAIL: TestA\nFAIL\ta\t1s\n", true, false},
	} {
		if got := built([]byte(c.out)); got != c.built {
			t.Errorf("%s: built is %v", name, got)
		}
		if got := fell([]byte(c.out)); got != c.fell {
			t.Errorf("%s: fell is %v", name, got)
		}
	}
}

func TestOwnersAreThePackagesOfTheMutatedFiles(t *testing.T) {
	m := mutation{edits: []edit{{file: "internal/a/x.go"}, {file: "internal/a/y.go"}, {file: "internal/b/z.go"}}}
	if diff := cmp.Diff([]string{"./internal/a", "./internal/b"}, m.owners()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func mustOpen(t *testing.T, path, root string, again bool) *store {
	t.Helper()
	s, err := open(path, root, again)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
