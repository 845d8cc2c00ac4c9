package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func TestSweeper_SeesToRunningRuns(t *testing.T) {
	const minute = time.Minute
	// A worker that died right after its commit.
	dead := func(jobs bool) func(*world) {
		return func(w *world) { w.committed(request("run"), jobs) }
	}
	// A run whose workflow was started 30 s after its commit.
	launched := func(then func(*world, surgical.Run)) func(*world) {
		return func(w *world) {
			run := w.committed(request("run"), true)
			w.now = epoch.Add(30 * time.Second)
			w.must(w.ledger.WorkflowStarted(w.Context(), run, 1, false))
			run, err := w.ledger.EnterStage(w.Context(), run.RunID, surgical.StageEmbed, 1)
			w.must(err)
			if then != nil {
				then(w, run)
			}
		}
	}
	allDone := launched(func(w *world, run surgical.Run) { w.finishJobs(run.RunID) })
	postponed := launched(func(w *world, run surgical.Run) {
		_, err := w.ledger.Postpone(w.Context(), run, 1, ledger.Setback{
			Error: surgical.StageError(run.RunID, surgical.StageEmbed), ResumeAt: epoch.Add(10 * minute),
		})
		w.must(err)
	})
	const running, succeeded, failed = surgical.StatusRunning, surgical.StatusSucceeded, surgical.StatusFailed
	for _, c := range []struct {
		name   string
		given  func(*world)
		at     time.Duration
		want   sweep.Report
		status surgical.RunStatus
		code   surgical.Code
	}{
		{"uncommitted, before it counts as lost", func(w *world) { w.claimed(request("run")) }, 18*time.Hour - tick, sweep.Report{}, running, ""},
		{"uncommitted, once it counts as lost", func(w *world) { w.claimed(request("run")) }, 18 * time.Hour, sweep.Report{Failed: 1}, failed, surgical.CodeRunLost},
		{"uncommitted for long, but a worker holds it", func(w *world) {
			run := w.claimed(request("run"))
			w.now = epoch.Add(18 * time.Hour)
			_, err := w.ledger.NextAttempt(w.Context(), run, 130*time.Second)
			w.must(err)
		}, 18*time.Hour + 130*time.Second - tick, sweep.Report{}, running, ""},
		{"uncommitted for long, and its lease ends now", func(w *world) {
			run := w.claimed(request("run"))
			w.now = epoch.Add(18 * time.Hour)
			_, err := w.ledger.NextAttempt(w.Context(), run, 130*time.Second)
			w.must(err)
		}, 18*time.Hour + 130*time.Second, sweep.Report{Failed: 1}, failed, surgical.CodeRunLost},
		{"committed a moment ago, no jobs", dead(false), minute - tick, sweep.Report{}, running, ""},
		{"committed a minute ago, no jobs", dead(false), minute, sweep.Report{Finished: 1}, succeeded, ""},
		{"committed a moment ago by a run that waited long", func(w *world) {
			w.claimed(request("run"))
			w.now = epoch.Add(30 * time.Minute)
			w.recommitted()
		}, 31*time.Minute - tick, sweep.Report{}, running, ""},
		{"committed a moment ago, not started", dead(true), minute - tick, sweep.Report{}, running, ""},
		{"committed a minute ago, not started", dead(true), minute, sweep.Report{Started: 1}, running, ""},
		{"started, before the execution is over", launched(nil), 30*time.Second + 5*minute - tick, sweep.Report{}, running, ""},
		{"started, jobs open after the execution is over", launched(nil), 30*time.Second + 5*minute, sweep.Report{Postponed: 1}, running, surgical.CodeEmbedFailed},
		{"started, jobs open six hours after the commit", launched(func(w *world, run surgical.Run) {
			w.now = epoch.Add(6 * time.Hour)
			w.must(w.ledger.WorkflowStarted(w.Context(), run, 2, false))
		}), 6*time.Hour + 5*minute, sweep.Report{Failed: 1}, failed, surgical.CodeEmbedFailed},
		{"postponed, before it is resumed", postponed, 10*minute - tick, sweep.Report{}, running, surgical.CodeEmbedFailed},
		{"postponed, and due", postponed, 10 * minute, sweep.Report{Started: 1}, running, surgical.CodeEmbedFailed},
		{"started, jobs done, before the execution is over", allDone, 30*time.Second + 5*minute - tick, sweep.Report{}, running, ""},
		{"started, jobs done after the execution is over", allDone, 30*time.Second + 5*minute, sweep.Report{Finished: 1}, succeeded, ""},
		{"handed on a moment ago", launched(func(w *world, run surgical.Run) {
			w.now = epoch.Add(4 * minute)
			w.must(w.ledger.WorkflowStarted(w.Context(), run, 2, false))
		}), 9*minute - tick, sweep.Report{}, running, ""},
		{"handed on five minutes ago", launched(func(w *world, run surgical.Run) {
			w.now = epoch.Add(4 * minute)
			w.must(w.ledger.WorkflowStarted(w.Context(), run, 2, false))
		}), 9 * minute, sweep.Report{Postponed: 1}, running, surgical.CodeEmbedFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.given(w)
			report, err := w.sweepAt(c.at)
			w.must(err)
			report.Swept, report.Expired, report.Drained = 0, 0, 0 // other steps
			if diff := cmp.Diff(c.want, report); diff != "" {
				t.Error(diff)
			}
			run := w.run("run")
			var code surgical.Code
			if run.Error != nil {
				code = run.Error.Code
				if run.Error.RunID != "run" {
					t.Errorf("the error names the run %q", run.Error.RunID)
				}
			}
			if diff := cmp.Diff([]any{c.status, c.code}, []any{run.Status, code}); diff != "" {
				t.Error(diff)
			}
			jobs, err := w.ledger.Jobs(t.Context(), "run")
			w.must(err)
			for _, job := range jobs {
				if open := job.Status == surgical.JobPending || job.Status == surgical.JobClaimed; open && run.Status.Terminal() {
					t.Errorf("the run has ended, and job %s is %s", job.ID, job.Status)
				}
			}
		})
	}
}

// recommitted commits the run "run" now.
func (w *world) recommitted() {
	w.Helper()
	run := w.run("run")
	mark := commitMark()
	mark.At = w.now
	row, err := w.ledger.CommitRun(run, mark)
	w.must(err)
	w.transact(row)
}

func TestSweeper_LaunchesUnderTheTraceOfTheRun(t *testing.T) {
	w := newWorld(t)
	w.committed(request("run"), true)
	_, err := w.sweepAt(time.Minute)
	w.must(err)
	want := []workflow.Input{{RunID: "run", Generation: 1, TraceParent: request("").TraceParent}}
	if diff := cmp.Diff(want, w.launched); diff != "" {
		t.Error(diff)
	}
	if run := w.run("run"); run.Generation != 1 || !run.GenerationStartedAt.Equal(w.now) {
		t.Errorf("generation %d since %s", run.Generation, run.GenerationStartedAt)
	}
	if report, err := w.sweepAt(2 * time.Minute); err != nil || report.Started != 0 {
		t.Errorf("a minute later it is started again: %+v, error %v", report, err)
	}
}

func TestSweeper_SendsLostMessagesAgain(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name   string
		origin surgical.Origin
		at     []time.Duration
		want   []int // on the requests queue and on the bulk queue
	}{
		{"queued a moment ago", surgical.OriginManual, []time.Duration{minute - tick}, []int{0, 0}},
		{"queued a minute ago", surgical.OriginManual, []time.Duration{minute}, []int{1, 0}},
		{"sent again a moment ago", surgical.OriginManual, []time.Duration{minute, 11*minute - tick}, []int{1, 0}},
		{"sent again ten minutes ago", surgical.OriginManual, []time.Duration{minute, 11 * minute}, []int{2, 0}},
		{"a webhook's", surgical.OriginWebhook, []time.Duration{minute}, []int{1, 0}},
		{"a retry", surgical.OriginRetry, []time.Duration{minute}, []int{1, 0}},
		{"a reconcile", surgical.OriginReconcile, []time.Duration{minute}, []int{0, 1}},
		{"a backfill", surgical.OriginBackfill, []time.Duration{minute}, []int{0, 1}},
		{"a census", surgical.OriginCensus, []time.Duration{minute}, []int{0, 1}},
		{"a drain", surgical.OriginDrain, []time.Duration{minute}, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			req := request("run")
			req.Origin = c.origin
			_, err := w.ledger.Queue(t.Context(), req)
			w.must(err)
			resent := 0
			for _, at := range c.at {
				report, err := w.sweepAt(at)
				w.must(err)
				resent += report.Resent
			}
			if diff := cmp.Diff(c.want, []int{len(w.requests.sent), len(w.bulk.sent)}); diff != "" {
				t.Error(diff)
			}
			if resent != c.want[0]+c.want[1] {
				t.Errorf("%d were reported", resent)
			}
			for _, sent := range append(w.requests.sent, w.bulk.sent...) {
				if diff := cmp.Diff(req, sent); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// Nobody else sends them, so there is no message on its way that they could wait for.
func TestSweeper_SendsHideRunsAtOnceAndNotAllOfThem(t *testing.T) {
	w := newWorld(t)
	const more = surgical.MaxHides / 2
	for i := range int64(surgical.MaxHides + more) {
		_, err := w.ledger.Queue(t.Context(), request(fmt.Sprint("r", i)).Hiding(issue(1, i+1).Target, epoch))
		w.must(err)
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{
		{tick, surgical.MaxHides},
		{surgical.SweepInterval, surgical.MaxHides + more},
		{2 * surgical.SweepInterval, surgical.MaxHides + more},
		{tick + surgical.ResendInterval, 2*surgical.MaxHides + more},
	} {
		_, err := w.sweepAt(c.at)
		w.must(err)
		if len(w.requests.sent) != c.want || len(w.bulk.sent) > 0 {
			t.Errorf("after %s: %d are sent, want %d, and %d on bulk", c.at, len(w.requests.sent), c.want, len(w.bulk.sent))
		}
	}
}

func TestSweeper_GoesOnAfterAFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken func(*world)
		want   sweep.Report
	}{
		{"no execution can be started", func(w *world) { w.startFails = errDown }, sweep.Report{Finished: 1, Resent: 1, Drained: 1}},
		{"no message can be sent to requests", func(w *world) { w.requests.err = errDown }, sweep.Report{Started: 1, Finished: 1, Drained: 1}},
		{"no message can be sent to bulk", func(w *world) { w.bulk.err = errDown }, sweep.Report{Started: 1, Finished: 1, Resent: 1}},
		{"no run can be closed", func(w *world) {
			w.fails = func(operation string) bool { return operation == "TransactWriteItems" }
		}, sweep.Report{Started: 1, Resent: 1, Drained: 1}},
		{"no row can be updated", func(w *world) {
			w.fails = func(operation string) bool { return operation == "UpdateItem" }
		}, sweep.Report{Finished: 1, Drained: 1}},
		{"no run can be listed", func(w *world) {
			w.fails = func(operation string) bool { return operation == "Query" }
		}, sweep.Report{Drained: 1}},
		{"the backlog cannot be listed", func(w *world) {
			w.fails = func(operation string) bool { return operation == "Scan" }
		}, sweep.Report{Started: 1, Finished: 1, Resent: 1}},
		{"no run can be read", func(w *world) {
			w.fails = func(operation string) bool { return operation == "GetItem" }
		}, sweep.Report{Resent: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.transact(w.dirty(issue(9, 1), "old", "a run that is no longer in the ledger"))
			w.now = epoch.Add(time.Hour)
			w.committed(request("to start"), true)
			w.committed(request("to finish"), false)
			_, err := w.ledger.Queue(t.Context(), request("to send"))
			w.must(err)
			c.broken(w)
			report, err := w.sweepAt(61 * time.Minute)
			if !errors.Is(err, errDown) {
				t.Errorf("the error is %v", err)
			}
			if diff := cmp.Diff(c.want, report); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A step that runs out of its share of the time leaves the rest to the next
// minute. That is not a failure, and the steps after it have their own share.
func TestSweeper_CutsAStepShortWithoutFailing(t *testing.T) {
	synctest.Test(t, cutShort)
}

func cutShort(t *testing.T) {
	w := newWorld(t)
	w.committed(request("to start"), true)
	w.now = epoch.Add(time.Second)
	_, err := w.ledger.Queue(t.Context(), request("to send"))
	w.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+400*time.Millisecond)
	defer cancel()
	slow := true
	w.fails = func(operation string) bool {
		if slow && operation == "GetItem" { // the read of the run to start
			slow = false
			time.Sleep(150 * time.Millisecond)
		}
		return false
	}
	w.now = epoch.Add(2 * time.Minute)
	report, err := w.sweeper.Handle(ctx)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(sweep.Report{Resent: 1}, report); diff != "" {
		t.Error(diff)
	}
}

// A run that moves while it is being swept is left alone.
func TestSweeper_LeavesARunThatMovesInTheMeantime(t *testing.T) {
	w := newWorld(t)
	w.claimed(request("run"))
	moved := false
	w.fails = func(operation string) bool {
		if operation == "TransactWriteItems" && !moved { // between the sweeper's read and the closing
			moved = true
			_, err := w.ledger.NextAttempt(t.Context(), w.run("run"), time.Minute)
			w.must(err)
		}
		return false
	}
	report, err := w.sweepAt(18 * time.Hour)
	w.must(err)
	if diff := cmp.Diff(sweep.Report{}, report); diff != "" || w.run("run").Status != surgical.StatusRunning {
		t.Errorf("the run is %s; %s", w.run("run").Status, diff)
	}
}
