package sweep_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// sweepFor lets the sweeper run for the time, with every call to DynamoDB taking 100 ms.
func (w *world) sweepFor(limit time.Duration) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	w.fails = func(string) bool {
		time.Sleep(100 * time.Millisecond)
		return false
	}
	_, err := w.sweeper.Handle(ctx)
	w.must(err)
	w.fails = func(string) bool { return false }
}

// Each entity's run is read, which takes 100 ms: one sweep has time for some ten.
func TestSweeper_GoesOnWhereItHadNoMoreTimeForTheBacklog(t *testing.T) {
	refused := surgical.NewError(surgical.CodeEmbedFailed, "the key is refused")
	refused.Retryable = false
	for name, c := range map[string]struct {
		fails error
		want  int
	}{
		"everything is due":             {surgical.NewError(surgical.CodeEmbedFailed, "x"), 40},
		"the embedder refused the keys": {refused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for iid := range int64(40) {
					req := request(fmt.Sprint("failed", iid))
					req.Targets = []surgical.Target{issue(1, iid+1).Target}
					w.now = epoch.Add(time.Duration(40-iid) * time.Second)
					w.embed(w.committed(req, true), c.fails)
				}
				w.forbidden = 1 // so that this sweep is for all but the backlog
				_, err := w.sweepAt(time.Hour)
				w.must(err)
				w.forbidden = 0
				drained := map[string]bool{}
				sweeps := 0
				for w.now = epoch.Add(7 * time.Hour); len(drained) < c.want && sweeps < 30; sweeps++ {
					w.now = w.now.Add(time.Minute)
					w.sweepFor(6 * time.Second)
					for _, req := range w.bulk.sent {
						drained[fmt.Sprint(req.Targets)] = true
					}
				}
				if len(drained) != c.want || sweeps < 4 {
					t.Errorf("%d drains after %d sweeps, want %d after more than three", len(drained), sweeps, c.want)
				}
				// The one that was refused longest ago, wherever it is.
				if c.want == 1 && !drained["[issue#40]"] {
					t.Errorf("drained %v", drained)
				}
				scan, err := w.ledger.BacklogScan(t.Context())
				w.must(err)
				if diff := cmp.Diff(surgical.BacklogScan{}, scan); diff != "" && c.want == 1 {
					t.Errorf("the next sweep does not begin at the beginning: %s", diff)
				}
			})
		})
	}
}

// A drain would be refused: nothing is requested until the project is allowed again.
func TestSweeper_LeavesTheBacklogOfAProjectThatIsNotAllowed(t *testing.T) {
	w := newWorld(t)
	w.transact(w.dirty(issue(1, 7), "a", "gone"), w.dirty(issue(2, 3), "a", "gone"), w.dirty(issue(2, 4), "a", "gone"))
	w.requestDrain(0, time.Minute)
	w.forbidden = 2
	for minute := range 30 {
		w.bulk.sent = nil
		report, err := w.sweepAt(time.Hour + time.Duration(minute)*time.Minute)
		w.must(err)
		if diff := cmp.Diff([]string{"1 [issue#7]"}, w.drained()); diff != "" || report.NotAllowed != 2 {
			t.Fatalf("%d entities not allowed; %s", report.NotAllowed, diff)
		}
	}
	w.forbidden, w.bulk.sent = 0, nil
	report, err := w.sweepAt(2 * time.Hour)
	w.must(err)
	if diff := cmp.Diff([]string{"1 [issue#7]", "2 [issue#3 issue#4]"}, w.drained()); diff != "" || report.NotAllowed != 0 {
		t.Errorf("%d entities not allowed; %s", report.NotAllowed, diff)
	}
}
