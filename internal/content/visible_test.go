package content_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestForReaders_EveryReadingMethodLeavesOutWhatIsNotShown(t *testing.T) {
	w := newWorld(t)
	shown, gone, hidden, elsewhere := issue(1), issue(2), issue(3), surgical.EntityRef{ProjectID: 2, Target: issue(1).Target}
	refs := []surgical.EntityRef{shown, gone, hidden, elsewhere, issue(4)}
	for _, ref := range refs[:4] {
		head, _ := w.commit(ref, newIssue())
		w.write(head, document("entity", "x"))
	}
	w.poke(gone, "head", map[string]any{"gone": true})
	w.poke(hidden, "head", map[string]any{"hidden_since": int64(1)})
	reader := w.ForReaders(func(_ context.Context, project int64) (time.Time, error) {
		if project == elsewhere.ProjectID {
			return w.now, nil
		}
		return time.Time{}, nil
	})
	heads, err := reader.VisibleHeads(ctx(), refs)
	w.must(err)
	for i, want := range []struct {
		code surgical.Code
		why  surgical.Concealment
	}{
		{}, {surgical.CodeEntityGone, surgical.Gone}, {surgical.CodeEntityNotFound, surgical.Hidden},
		{surgical.CodeEntityNotFound, surgical.ProjectHidden}, {surgical.CodeEntityNotFound, surgical.Absent},
	} {
		ref := refs[i]
		head, err := reader.VisibleHead(ctx(), ref)
		_, readErr := reader.Read(ctx(), ref)
		for _, err := range []error{err, readErr} {
			if (err == nil) != (want.code == "") || err != nil && surgical.CodeOf(err) != want.code {
				t.Errorf("%s: %v, want %q", ref, err, want.code)
			}
		}
		stored, err := reader.Stored(ctx(), ref)
		w.must(err)
		if _, listed := heads[ref]; listed != (want.code == "") || head.Exists() != listed || stored.Exists() != listed || stored.Why != want.why || stored.Documents > 0 != listed {
			t.Errorf("%s: listed %t, head %d, stored %+v", ref, listed, head.Revision, stored)
		}
	}
}

func TestForReaders_FailsIfTheProjectCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	broken := errors.New("broken")
	reader := w.ForReaders(func(context.Context, int64) (time.Time, error) { return time.Time{}, broken })
	_, err := reader.Read(ctx(), issue(1))
	_, headErr := reader.VisibleHead(ctx(), issue(1))
	_, headsErr := reader.VisibleHeads(ctx(), []surgical.EntityRef{issue(1)})
	_, storedErr := reader.Stored(ctx(), issue(1))
	if slices.ContainsFunc([]error{err, headErr, headsErr, storedErr}, func(err error) bool { return !errors.Is(err, broken) }) {
		t.Errorf("Read: %v, VisibleHead: %v, VisibleHeads: %v, Stored: %v", err, headErr, headsErr, storedErr)
	}
}

func TestForReaders_ReadsTheProjectAfterTheHead(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	before := len(w.calls)
	reader := w.ForReaders(func(context.Context, int64) (time.Time, error) {
		if len(w.calls) == before {
			t.Error("what hides the project in between would not count")
		}
		return w.now, nil
	})
	if _, err := reader.VisibleHead(ctx(), issue(1)); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		t.Error(err)
	}
}
