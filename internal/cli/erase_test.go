package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestErase_AsksRemovesAndProves(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.run("sync", "-p", "1", "--issue", "7", "--wait")
		says := func(got printed, exit int, want ...string) {
			t.Helper()
			for _, text := range want {
				if got.exit != exit || !strings.Contains(got.out+got.errors, text) {
					t.Errorf("exit %d, want %d and %q in\n%s%s", got.exit, exit, text, got.out, got.errors)
				}
			}
		}
		says(s.run("erase", "1#7", "--dry-run"), 0, "parts of its copy, 5 documents")
		says(s.run("erase", "1#7"), 2, "pass --yes")
		s.terminal, s.stdin = true, "no\n"
		says(s.run("erase", "1#7"), 2, "remove ", "nothing was done")
		says(s.run("show", "1#7"), 0, "Search shows pages")
		s.stdin = "yes\n"
		says(s.run("erase", "1#7"), 0, "nothing: the list of all its items is empty", "lore erase '1#7' --undo", "in the index until", "recoverable until", "2026-12-07")
		s.terminal = false
		says(s.run("show", "1#7"), 42, "not in the store")
		says(s.run("why", "1#7"), 0, "erased at")
		says(s.run("erase", "--list"), 0, "project 1 issue#7", "listed again at")
		file := filepath.Join(t.TempDir(), "erased.json")
		if err := os.WriteFile(file, []byte(s.run("erase", "--list", "--robot").out), 0o600); err != nil {
			t.Fatal(err)
		}
		says(s.run("erase", "--repeat", file), 2, "pass --yes")
		says(s.run("erase", "--repeat", file, "--yes"), 0, "project 1 issue#7")
		says(s.run("sync", "1#7", "--wait"), 0, "skipped_erased")
		if e, got := s.robot("erase", "1#7", "--undo"); e.code() != surgical.CodeConflict || e.Error.RetryAfter == 0 {
			t.Errorf("lifted while it is removed: %s", got.out)
		}
		s.Clock.Advance(surgical.EraseSettle)
		if _, err := s.Sweeper.Handle(t.Context()); err != nil {
			t.Fatal(err)
		}
		says(s.run("erase", "1#7", "--undo"), 0, "lore sync '1#7'")
		says(s.run("erase", "--list"), 0, "nothing was erased")
		says(s.run("sync", "1#7", "--wait"), 0, "ok")
		says(s.run("show", "1#7"), 0, "Search shows pages")
	})
}

func TestErase_RejectsWhatDoesNotGoTogether(t *testing.T) {
	p := newProgram(t)
	p.local(map[string]string{"api_url": "http://127.0.0.1:1"})
	for _, args := range [][]string{{"erase"}, {"erase", "1"}, {"erase", "1#7", "--list"}, {"erase", "--repeat", "nowhere"}, {"erase", "--repeat", "erase_test.go", "--dry-run"}, {"erase", "--repeat", "erase_test.go"}, {"erase", "1#7", "--undo", "--dry-run"}, {"erase", "--undo", "--list"}} {
		if e, got := p.robot(args...); e.code() != surgical.CodeInvalidRequest {
			t.Errorf("%v: %s", args, got.out)
		}
	}
}
