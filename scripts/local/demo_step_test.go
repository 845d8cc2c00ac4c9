package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rehearsal is a demo of steps that the test makes up. printed returns what it has printed.
func rehearsal(t *testing.T) (d *demo, printed func() string) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &demo{place: &place{out: newTerminal(f)}}, func() string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func says(text string) func(*step, context.Context) error {
	return func(s *step, _ context.Context) error { s.out.line("%s", text); return nil }
}

func title(s *step) { s.demo.out.line("%s", s.title) }

func TestTake_ShowsStepsInTheirOrderWhateverTheyEndIn(t *testing.T) {
	d, printed := rehearsal(t)
	second := d.step("second", "", says("two"))
	first := d.step("first", "", says("one"), second) // takes place after it
	if err := take(t.Context(), []*step{first, second}, title); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("first\none\n     ✓ as expected\nsecond\ntwo\n     ✓ as expected\n", printed()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestTake_TakesAStepOnlyOnceThoseBeforeItHaveEnded(t *testing.T) {
	d, _ := rehearsal(t)
	ended := false
	first := d.step("first", "", func(*step, context.Context) error { ended = true; return nil })
	second := d.step("second", "", func(*step, context.Context) error {
		if !ended {
			return errors.New("the first has not ended")
		}
		return nil
	}, first)
	if err := take(t.Context(), []*step{second, first}, title); err != nil {
		t.Error(err)
	}
}

func TestTake_EndsWithTheStepThatFailedFirst(t *testing.T) {
	d, _ := rehearsal(t)
	broken := errors.New("broken")
	waits := d.step("waits", "", func(_ *step, ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	fails := d.step("fails", "", func(*step, context.Context) error { return broken })
	later := d.step("later", "", func(*step, context.Context) error { t.Error("it was taken"); return nil }, fails)
	err := take(t.Context(), []*step{waits, fails, later}, title)
	if !errors.Is(err, broken) || err.Error() != "fails: broken" {
		t.Errorf("error %v", err)
	}
}
