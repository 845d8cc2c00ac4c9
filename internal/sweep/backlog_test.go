package sweep_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// sources are what a drain asks for: the entities by project, in the order sent.
func (w *world) drained() (asked []string) {
	for _, req := range w.bulk.sent {
		asked = append(asked, fmt.Sprintf("%d %v", req.ProjectID, req.Targets))
	}
	return asked
}

func TestSweeper_DrainsWhatEndedRunsLeftDirty(t *testing.T) {
	const gone = "a run that is no longer in the ledger"
	for _, c := range []struct {
		name  string
		given func(*world)
		at    time.Duration
		want  []string
	}{
		{"nothing", func(*world) {}, time.Hour, nil},
		{"15 minutes old", func(w *world) { w.transact(w.dirty(issue(1, 7), "a", gone)) }, 15 * time.Minute, nil},
		{"older", func(w *world) { w.transact(w.dirty(issue(1, 7), "a", gone)) }, 15*time.Minute + tick, []string{"1 [issue#7]"}},
		{"its run is open", func(w *world) {
			w.claimed(request("open"))
			w.transact(w.dirty(issue(1, 7), "a", "open"))
		}, time.Hour, nil},
		{"its run has ended", func(w *world) {
			w.ingested("ended")
			w.transact(w.dirty(issue(1, 7), "a", "ended"))
		}, time.Hour, []string{"1 [issue#7]"}},
		{"an entity twice, and another project", func(w *world) {
			w.transact(w.dirty(issue(2, 3), "a", gone), w.dirty(issue(1, 8), "a", gone), w.dirty(issue(1, 7), "b", gone), w.dirty(issue(1, 7), "a", gone))
		}, time.Hour, []string{"1 [issue#7 issue#8]", "2 [issue#3]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.given(w)
			report, err := w.sweepAt(c.at)
			w.must(err)
			if diff := cmp.Diff(c.want, w.drained()); diff != "" {
				t.Error(diff)
			}
			entities := 0
			for _, req := range w.bulk.sent {
				entities += len(req.Targets)
				if req.Origin != surgical.OriginDrain || !req.EventAt.Equal(w.now) {
					t.Errorf("origin %s, event at %s", req.Origin, req.EventAt)
				}
			}
			if report.Drained != entities {
				t.Errorf("%d entities were reported, want %d", report.Drained, entities)
			}
		})
	}
}

func TestSweeper_AsksForAtMost25EntitiesInOneDrain(t *testing.T) {
	w := newWorld(t)
	for iid := range int64(52) {
		w.transact(w.dirty(issue(1, iid+1), "a", "gone"), w.dirty(issue(1, iid+1), "b", "gone"))
	}
	report, err := w.sweepAt(time.Hour)
	w.must(err)
	seen := map[surgical.Target]int{}
	var sizes []int
	for _, req := range w.bulk.sent {
		sizes = append(sizes, len(req.Targets))
		for _, target := range req.Targets {
			seen[target]++
		}
	}
	if diff := cmp.Diff([]int{25, 25, 2}, sizes); diff != "" || len(seen) != 52 || report.Drained != 52 {
		t.Errorf("%d entities, %d reported; %s", len(seen), report.Drained, diff)
	}
}

// A drain run is named after what it is for and when: asking again asks for the
// same run, and a run that a worker has seen is not asked for again.
func TestSweeper_AsksForTheSameDrainAgainUntilItIsClaimed(t *testing.T) {
	w := newWorld(t)
	w.sweeper.NewTrace = func(context.Context) string { return "a trace" }
	w.transact(w.dirty(issue(1, 7), "a", "gone"))
	ids := func() (ids []string) {
		for _, req := range w.bulk.sent {
			ids = append(ids, req.RunID)
		}
		return ids
	}
	sweeps := func(at ...time.Duration) {
		for _, at := range at {
			_, err := w.sweepAt(at)
			w.must(err)
		}
	}
	sweeps(time.Hour, time.Hour+time.Minute)
	first := w.bulk.sent[0]
	if diff := cmp.Diff([]string{first.RunID, first.RunID}, ids()); diff != "" || first.TraceParent != "a trace" {
		t.Errorf("trace %q; %s", first.TraceParent, diff)
	}
	run := w.claimed(first)
	w.bulk.sent = nil
	sweeps(2 * time.Hour)
	_, err := w.ledger.Close(t.Context(), run, surgical.Lost{Error: surgical.NewError(surgical.CodeRunLost, "x"), Attempt: run.Attempt})
	w.must(err)
	sweeps(3*time.Hour, 6*time.Hour-tick)
	if diff := cmp.Diff([]string(nil), ids()); diff != "" {
		t.Errorf("asked for again within the six hours: %s", diff)
	}
	sweeps(6 * time.Hour)
	if asked := ids(); len(asked) != 1 || asked[0] == first.RunID {
		t.Errorf("six hours later: %v", asked)
	}
	w.transact(w.dirty(issue(1, 7), "b", "gone"))
	w.bulk.sent = nil
	sweeps(7 * time.Hour)
	if asked := ids(); len(asked) != 1 || asked[0] == first.RunID {
		t.Errorf("with another dirty source: %v", asked)
	}
}
