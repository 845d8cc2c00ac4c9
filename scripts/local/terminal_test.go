package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCountsAgreeWithTheirNoun(t *testing.T) {
	if diff := cmp.Diff([]string{"0 events", "1 delivery", "2 deliveries"},
		[]string{count(0, "event"), count(1, "delivery"), count(2, "delivery")}); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedCheckIsNamedOnceAndRemembered(t *testing.T) {
	c := &checks{subject: "A push"}
	equal(c, "response", 200, 200)
	equal(c, "status", "queued", "ignored")
	if diff := cmp.Diff([]string{"A push: status: got queued, want ignored"}, c.failures); diff != "" {
		t.Error(diff)
	}
}

func TestLost_SaysWhatIsLostAndWhatToDo(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &steps{out: newTerminal(f)}
	s.begin("compiling the functions")
	s.lost(time.Date(2026, 11, 29, 8, 12, 5, 0, time.Local))
	s.end()
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"✓ compiling the functions", "\n  ! The local AWS was killed, and everything that it stored since 2026-11-29 08:12:05 is lost.\n", "lore backfill --all"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}
