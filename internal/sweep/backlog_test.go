package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/ledger"
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

// work does what the sweeper asked for: every entity gets its documents, and the
// embedder answers with fails.
func (w *world) work(fails error) (runs int) {
	w.Helper()
	sent := w.bulk.sent
	w.bulk.sent = nil
	for _, req := range sent {
		run, err := w.ledger.Drain(w.Context(), w.claimed(req))
		w.must(err)
		w.embed(run, fails)
		runs++
	}
	return runs
}

// embed ends the run's docs jobs, and its embed jobs as fails says.
func (w *world) embed(run surgical.Run, fails error) {
	w.Helper()
	jobs, err := w.ledger.Jobs(w.Context(), run.RunID)
	w.must(err)
	for _, job := range jobs {
		held, err := w.ledger.ClaimJob(w.Context(), job, 1, time.Minute)
		w.must(err)
		next := held
		next.ID, next.Type, next.Status, next.Attempts = ledger.JobID(surgical.JobEmbed, job.Ref.Target), surgical.JobEmbed, surgical.JobPending, 0
		w.must(w.finish(held, ledger.LeftToEmbed(next)))
		held, err = w.ledger.ClaimJob(w.Context(), next, 1, time.Minute)
		w.must(err)
		if fails == nil {
			held.ChunksEmbedded = 1
			w.must(w.finish(held, ledger.Settled()))
			continue
		}
		held.Error = surgical.AsError(fails)
		w.must(w.ledger.FailJob(w.Context(), held))
	}
	_, err = w.ledger.Close(w.Context(), w.run(run.RunID), surgical.Succeeded{})
	w.must(err)
}

// left counts the dirty sources of three entities.
func (w *world) left() (n int) {
	w.Helper()
	for iid := range int64(3) {
		rows, err := w.ledger.DirtySources(w.Context(), issue(1, iid+1))
		w.must(err)
		n += len(rows)
	}
	return n
}

// For one day, every minute, with three entities whose embeddings fail: they used
// to get 89 drain runs.
func TestSweeper_DoesNotRepeatAPermanentFailureForever(t *testing.T) {
	refused := surgical.NewError(surgical.CodeEmbedFailed, "the key is refused")
	refused.Action, refused.Retryable = surgical.ActionCheckToken, false
	odd := surgical.NewError(surgical.CodeDocsFailed, "a record cannot be read")
	odd.Action, odd.Retryable = surgical.ActionContactOperator, false
	for _, c := range []struct {
		name string
		why  error
		runs int
	}{
		// One entity after 6, 12, 18 and 24 h shows whether it still does.
		{"the embedder refuses the key", refused, 4},
		// After 15 min, 30 min, 1 h, 2 h, 4 h, 6 h and 6 h, each entity by itself.
		{"something fails again and again", odd, 3 * 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for iid := range int64(3) {
				req := request(fmt.Sprint("event", iid))
				req.Targets = []surgical.Target{issue(1, iid+1).Target}
				w.embed(w.committed(req, true), c.why)
			}
			runs, most := 0, 0
			minute := time.Duration(0)
			sweep := func(fails error) {
				minute += time.Minute
				_, err := w.sweepAt(minute)
				w.must(err)
				for _, req := range w.bulk.sent {
					most = max(most, len(req.Targets))
				}
				runs += w.work(fails)
			}
			for minute < 24*time.Hour {
				sweep(c.why)
			}
			if runs != c.runs || most > 1 || w.left() != 3 {
				t.Fatalf("%d drain runs of up to %d entities, want %d; %d dirty sources are left", runs, most, c.runs, w.left())
			}
			// The cause is gone, and another entity is embedded.
			other := request("other")
			other.Targets = []surgical.Target{issue(1, 99).Target}
			minute += time.Minute
			w.now = epoch.Add(minute)
			w.embed(w.committed(other, true), nil)
			for range int(surgical.MaxBacklogDelay / time.Minute) {
				sweep(nil)
			}
			if runs != c.runs+3 || w.left() != 0 {
				t.Errorf("%d more drain runs, want 3; %d dirty sources are left", runs-c.runs, w.left())
			}
		})
	}
}

// An entity that failed is drained by itself; those that did not share a drain.
func TestSweeper_DrainsWhatFailedByItself(t *testing.T) {
	w := newWorld(t)
	req := request("failed")
	req.Targets = []surgical.Target{issue(1, 2).Target}
	w.embed(w.committed(req, true), surgical.NewError(surgical.CodeEmbedFailed, "x"))
	w.transact(w.dirty(issue(1, 1), "a", "gone"), w.dirty(issue(1, 2), "a", "gone"), w.dirty(issue(1, 3), "a", "gone"))
	_, err := w.sweepAt(time.Hour)
	w.must(err)
	if diff := cmp.Diff([]string{"1 [issue#2]", "1 [issue#1 issue#3]"}, w.drained()); diff != "" {
		t.Error(diff)
	}
}

// A drain takes all rows of an entity, so the one that failed most decides.
func TestSweeper_ANewDirtySourceDoesNotHastenWhatFailed(t *testing.T) {
	w := newWorld(t)
	req := request("failed")
	req.Targets = []surgical.Target{issue(1, 1).Target}
	run := w.committed(req, true)
	w.now = epoch.Add(time.Hour)
	w.embed(run, surgical.NewError(surgical.CodeEmbedFailed, "x"))
	w.now = epoch
	w.transact(w.dirty(issue(1, 1), "a", "gone"))
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{time.Hour + 15*time.Minute - tick, 0}, {time.Hour + 15*time.Minute, 1}} {
		w.bulk.sent = nil
		_, err := w.sweepAt(c.at)
		if w.must(err); len(w.bulk.sent) != c.want {
			t.Errorf("%v: %d drain runs, want %d", c.at, len(w.bulk.sent), c.want)
		}
	}
}

// requestDrain asks for a drain of the project at a time after the epoch.
func (w *world) requestDrain(project int64, after time.Duration) {
	w.Helper()
	w.now = epoch.Add(after)
	_, err := w.ledger.RequestDrain(w.Context(), project)
	w.must(err)
}

// What waits after a failure, is held back, or is still young is drained on request.
func TestSweeper_DrainsOnRequestWhateverIsLeft(t *testing.T) {
	refused := surgical.NewError(surgical.CodeEmbedFailed, "the key is refused")
	refused.Action, refused.Retryable = surgical.ActionCheckToken, false
	for name, c := range map[string]struct {
		project int64
		asked   time.Duration
		at      time.Duration
		want    []string
	}{
		"nothing was requested":       {0, -time.Hour, 3 * time.Minute, nil},
		"all projects":                {0, 2 * time.Minute, 3 * time.Minute, []string{"1 [issue#1]", "1 [issue#2]", "1 [issue#3]", "2 [issue#4]"}},
		"one project":                 {1, 2 * time.Minute, 3 * time.Minute, []string{"1 [issue#1]", "1 [issue#2]", "1 [issue#3]"}},
		"the other project":           {2, 2 * time.Minute, 3 * time.Minute, []string{"2 [issue#4]"}},
		"a project with nothing left": {3, 2 * time.Minute, 3 * time.Minute, nil},
		"before they were left":       {0, 0, 3 * time.Minute, nil},
		// By then everything is due but what the embedder refused, of which one is tried.
		"six hours ago": {0, 2 * time.Minute, 6*time.Hour + 2*time.Minute, []string{"1 [issue#1]", "1 [issue#2]", "1 [issue#3]", "2 [issue#4]"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for iid, why := range map[int64]error{1: refused, 2: surgical.NewError(surgical.CodeDocsFailed, "x")} {
				req := request(fmt.Sprint("failed", iid))
				req.Targets = []surgical.Target{issue(1, iid).Target}
				run := w.committed(req, true)
				w.now = epoch.Add(time.Minute)
				w.embed(run, why)
				w.now = epoch
			}
			w.now = epoch.Add(time.Minute)
			w.transact(w.dirty(issue(1, 3), "a", "gone"), w.dirty(issue(2, 4), "a", "gone"))
			w.requestDrain(c.project, c.asked)
			_, err := w.sweepAt(c.at)
			w.must(err)
			got := w.drained()
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("drained (-want +got):\n%s", diff)
			}
		})
	}
}

// A request is carried out once, however often the sweeper passes; what fails again
// waits as before.
func TestSweeper_DrainsOncePerRequest(t *testing.T) {
	refused := surgical.NewError(surgical.CodeEmbedFailed, "the key is refused")
	refused.Action, refused.Retryable = surgical.ActionCheckToken, false
	w := newWorld(t)
	req := request("failed")
	req.Targets = []surgical.Target{issue(1, 1).Target}
	w.embed(w.committed(req, true), refused)
	minutes := func(from, to int) (ids []string) {
		for minute := from; minute < to; minute++ {
			_, err := w.sweepAt(time.Duration(minute) * time.Minute)
			w.must(err)
		}
		for _, sent := range w.bulk.sent {
			if !slices.Contains(ids, sent.RunID) {
				ids = append(ids, sent.RunID)
			}
		}
		w.bulk.sent = w.bulk.sent[:min(len(w.bulk.sent), 1)]
		return ids
	}
	var all []string
	for hour := range 3 {
		w.requestDrain(0, time.Duration(hour)*time.Hour+time.Second)
		first := minutes(60*hour+1, 60*hour+5)
		if len(first) != 1 || slices.Contains(all, first[0]) {
			t.Fatalf("request %d: runs %v", hour, first)
		}
		all = append(all, first...)
		w.work(refused)
		if again := minutes(60*hour+5, 60*hour+50); len(again) > 0 {
			t.Errorf("request %d: drained again by %v", hour, again)
		}
	}
	w.requestDrain(1, 4*time.Hour)
	minutes(241, 242)
	if w.work(nil); w.left() != 0 {
		t.Errorf("%d dirty sources are left", w.left())
	}
}

func TestSweeper_ReportsThatTheLastEmbeddingCannotBeRead(t *testing.T) {
	w := newWorld(t)
	refused := surgical.NewError(surgical.CodeEmbedFailed, "x")
	refused.Retryable = false
	w.embed(w.committed(request("failed"), true), refused)
	scanned := false
	w.fails = func(operation string) bool {
		scanned = scanned || operation == "Scan"
		return scanned && operation == "BatchGetItem"
	}
	if _, err := w.sweepAt(time.Hour); !errors.Is(err, errDown) || len(w.bulk.sent) > 0 {
		t.Errorf("%v; sent %v", err, w.bulk.sent)
	}
}
