package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// failing is work that makes some progress and fails.
type failing struct {
	workflow.Work
	err error
}

func (f failing) Do(_ context.Context, _ surgical.Run, job *surgical.Job, _ *workflow.Budget) (ledger.Done, error) {
	job.Cursor = "discussion#a"
	return ledger.Done{}, f.err
}

// panicking is work that makes some progress and panics.
type panicking struct{ workflow.Work }

func (panicking) Do(_ context.Context, _ surgical.Run, job *surgical.Job, _ *workflow.Budget) (ledger.Done, error) {
	job.Cursor = "discussion#a"
	panic("the text of an issue")
}

// unhurried is work with a budget of its own.
type unhurried struct {
	workflow.Work
	budget *workflow.Budget
}

func (u unhurried) Do(ctx context.Context, run surgical.Run, job *surgical.Job, _ *workflow.Budget) (ledger.Done, error) {
	return u.Work.Do(ctx, run, job, u.budget)
}

func TestRunner_EndsAsTheRunAndItsJobStand(t *testing.T) {
	ref := gitlab.IssueRef(7)
	claim := func(lease time.Duration) func(*world, *workflow.Input) {
		return func(w *world, in *workflow.Input) {
			_, err := w.Ledger.ClaimJob(w.T.Context(), w.job(in.RunID, surgical.JobDocs), in.Generation+1, lease)
			w.must(err)
		}
	}
	fails := func(err error) func(*world, *workflow.Input) {
		return func(w *world, _ *workflow.Input) { w.Docs.Work = failing{w.Docs.Work, err} }
	}
	hopeless := surgical.NewError(surgical.CodeDocsFailed, "hopeless")
	hopeless.Retryable = false
	const transient = "transient"
	type want struct {
		Outcome  workflow.Outcome
		Err      string
		Job      surgical.JobStatus
		Attempts int64
		Cursor   string
		// Generation is the run's afterwards, Launched those that were started.
		Generation int64
		Launched   []int64
	}
	done := want{Outcome: workflow.Done, Job: surgical.JobDone, Attempts: 1, Generation: 1, Cursor: "entity"}
	for _, c := range []struct {
		name  string
		given func(*world, *workflow.Input)
		// left is how long the function has; 0 for no deadline.
		left time.Duration
		want want
	}{
		{"a pending job", nil, 0, done},
		{"a job that is done", func(w *world, in *workflow.Input) { w.handle(w.Docs, *in) }, 0, done},
		{"a job that somebody else holds", claim(time.Minute), 0,
			want{Outcome: workflow.Yielded, Job: surgical.JobClaimed, Attempts: 1, Generation: 1}},
		{"a job that a dead function of this generation holds", func(w *world, in *workflow.Input) {
			_, err := w.Ledger.ClaimJob(w.T.Context(), w.job(in.RunID, surgical.JobDocs), in.Generation, time.Minute)
			w.must(err)
		}, 0, want{Outcome: workflow.Done, Job: surgical.JobDone, Attempts: 2, Generation: 1, Cursor: "entity"}},
		{"a job whose lease has almost expired", func(w *world, in *workflow.Input) {
			claim(time.Minute)(w, in)
			w.Clock.Advance(time.Minute - time.Second)
		}, 0, want{Outcome: workflow.Yielded, Job: surgical.JobClaimed, Attempts: 1, Generation: 1}},
		{"a job whose lease has expired", func(w *world, in *workflow.Input) {
			claim(time.Minute)(w, in)
			w.Clock.Advance(time.Minute)
		}, 0, want{Outcome: workflow.Done, Job: surgical.JobDone, Attempts: 2, Generation: 1, Cursor: "entity"}},
		{"a job that failed permanently", func(w *world, in *workflow.Input) {
			held, err := w.Ledger.ClaimJob(w.T.Context(), w.job(in.RunID, surgical.JobDocs), 1, time.Minute)
			w.must(err)
			w.must(w.Ledger.FailJob(w.T.Context(), held))
		}, 0, want{Outcome: workflow.Done, Job: surgical.JobFailed, Attempts: 1, Generation: 1}},
		{"a stale generation", func(w *world, in *workflow.Input) {
			w.must(w.Ledger.WorkflowStarted(w.T.Context(), w.Run(in.RunID), 2, false))
		}, 0, want{Outcome: workflow.Yielded, Job: surgical.JobPending, Generation: 2}},
		{"a generation that nobody recorded", func(_ *world, in *workflow.Input) { in.Generation = 2 }, 0,
			want{Outcome: workflow.Done, Job: surgical.JobDone, Attempts: 1, Generation: 2, Cursor: "entity"}},
		{"a cancelled run", func(w *world, in *workflow.Input) {
			_, err := w.Ledger.Close(w.T.Context(), w.Run(in.RunID), surgical.Cancelled{Error: surgical.NewError(surgical.CodeRunCancelled, "x")})
			w.must(err)
		}, 0, want{Outcome: workflow.Yielded, Job: surgical.JobAborted, Generation: 1}},
		{"too little time to begin", nil, 19 * time.Second,
			want{Outcome: workflow.HandedOn, Job: surgical.JobPending, Generation: 2, Launched: []int64{2}}},
		{"just enough time", nil, 30 * time.Second, done},
		{"time for one batch of two", func(w *world, _ *workflow.Input) { w.Docs.Work = unhurried{w.Docs.Work, batches(1)} }, 0,
			want{Outcome: workflow.HandedOn, Job: surgical.JobPending, Attempts: 1, Generation: 2, Launched: []int64{2}, Cursor: "after 49"}},
		{"the next generation cannot be started", func(w *world, _ *workflow.Input) { w.startFails = errDown }, 19 * time.Second,
			want{Err: transient, Job: surgical.JobPending, Generation: 1}},
		{"a failure that another try may not meet", fails(surgical.NewError(surgical.CodeDocsFailed, "x")), 0,
			want{Err: transient, Job: surgical.JobPending, Attempts: 1, Generation: 1, Cursor: "discussion#a"}},
		{"a failure of DynamoDB", fails(fmt.Errorf("write: %w", errDown)), 0,
			want{Err: transient, Job: surgical.JobPending, Attempts: 1, Generation: 1, Cursor: "discussion#a"}},
		{"a failure that every try meets", fails(hopeless), 0,
			want{Outcome: workflow.Done, Job: surgical.JobFailed, Attempts: 1, Generation: 1, Cursor: "discussion#a"}},
		{"a panic", func(w *world, _ *workflow.Input) { w.Docs.Work = panicking{w.Docs.Work} }, 0,
			want{Outcome: workflow.Done, Job: surgical.JobFailed, Attempts: 1, Generation: 1, Cursor: "discussion#a"}},
		{"its run ends in between", func(w *world, in *workflow.Input) {
			w.Docs.Work = unhurried{w.Docs.Work, &workflow.Budget{TimeLeft: func() bool { return true }, MayGoOn: func(context.Context) error { return workflow.ErrEnded }}}
		}, 0, want{Outcome: workflow.Yielded, Job: surgical.JobClaimed, Attempts: 1, Generation: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.discuss(ref, 60)
			in := w.commit(surgical.Options{}, ref)
			if c.given != nil {
				c.given(w, &in)
			}
			ctx := t.Context()
			if c.left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.left)
				defer cancel()
			}
			result, err := w.Docs.Handle(ctx, in)
			job, run := w.job(in.RunID, surgical.JobDocs), w.Run(in.RunID)
			got := want{Outcome: result.Outcome, Job: job.Status, Attempts: job.Attempts, Generation: run.Generation, Cursor: job.Cursor}
			switch documents := w.documents(ref); {
			case c.want.Cursor == "after 49" && len(documents) == 49:
				got.Cursor = c.want.Cursor
			case job.Status == surgical.JobDone && len(documents) < 62:
				t.Errorf("the job is done, and there are %d documents", len(documents))
			}
			if errors.As(err, new(workflow.Transient)) {
				got.Err = transient
			} else if err != nil {
				t.Error(err)
			}
			for _, launched := range w.launched {
				got.Launched = append(got.Launched, launched.Generation)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
			if !run.Status.Terminal() && run.Stage != surgical.StageDocs {
				t.Errorf("the run's stage is %s", run.Stage)
			}
		})
	}
}

func TestRunner_DoesTheOpenJobsOfARunAndCountsAll(t *testing.T) {
	w := newWorld(t)
	one, two := gitlab.IssueRef(7), gitlab.MergeRequestRef(12)
	in := w.commit(surgical.Options{}, one, two)
	first := &workflow.Runner{Ledger: w.Ledger, Launcher: w.Docs.Launcher, Log: w.Docs.Log, Work: &brittle{Work: w.Docs.Work}}
	var transient workflow.Transient
	if result, err := first.Handle(t.Context(), in); !errors.As(err, &transient) || !errors.Is(err, errDown) || err.Error() == "" {
		t.Fatalf("%+v, error %v", result, err)
	}
	result := w.handle(w.Docs, in)
	want := int64(len(w.documents(one)) + len(w.documents(two)))
	if result.DocumentsRegenerated != want || result.NoEmbed || result.ChunksEmbedded != 0 {
		t.Errorf("%+v, want %d documents regenerated", result, want)
	}
	if counters := w.Run(in.RunID).Counters; counters.DocumentsRegenerated != want || counters.DocumentsWritten != want {
		t.Errorf("%+v, want %d", counters, want)
	}
	result = w.handle(w.Embed, in)
	if result.DocumentsRegenerated != want || result.ChunksEmbedded == 0 || result.ChunksEmbedded != w.Run(in.RunID).Counters.ChunksEmbedded {
		t.Errorf("%+v, counted %d chunks", result, w.Run(in.RunID).Counters.ChunksEmbedded)
	}
	w.settled(one)
	w.settled(two)
}

// A job that fails, permanently or until another try, does not stop the others, and
// its row says why.
func TestRunner_GoesOnPastAJobThatFails(t *testing.T) {
	hopeless := surgical.NewError(surgical.CodeDocsFailed, "hopeless")
	hopeless.Action, hopeless.Retryable = surgical.ActionContactOperator, false
	for _, c := range []struct {
		name string
		err  error
		// status and why are those of the job that fails.
		status surgical.JobStatus
		why    *surgical.Error
	}{
		{"permanently", hopeless, surgical.JobFailed, hopeless},
		{"until another try", fmt.Errorf("write: %w", errDown), surgical.JobPending, &surgical.Error{
			Code: surgical.CodeDocsFailed, Message: "the documents could not be regenerated; the content is committed; the logs hold the cause",
			Action: surgical.ActionRetryFailed, Retryable: true,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			one, odd, three := gitlab.IssueRef(7), gitlab.IssueRef(8), gitlab.MergeRequestRef(12)
			w.GitLab.SetIssue(gitlab.NewIssue(8, "Another", "Text", gitlab.Time{Time: w.Clock.Now()}))
			in := w.commit(surgical.Options{}, one, odd, three)
			sound := w.Docs.Work
			w.Docs.Work = failingFor{sound, odd, c.err}
			result, err := w.Docs.Handle(t.Context(), in)
			if permanent := c.status == surgical.JobFailed; permanent != (err == nil && result.Outcome == workflow.Done) || permanent == errors.As(err, new(workflow.Transient)) {
				t.Errorf("%+v, error %v", result, err)
			}
			jobs, err := w.Ledger.Jobs(t.Context(), in.RunID)
			w.must(err)
			for _, job := range jobs {
				if job.Type != surgical.JobDocs {
					continue
				}
				want := surgical.Job{Status: surgical.JobDone}
				if job.Ref == odd {
					want = surgical.Job{Status: c.status, Error: c.why}
				}
				// An error of a row names its run.
				if diff := cmp.Diff(want, surgical.Job{Status: job.Status, Error: job.Error}, cmpopts.IgnoreFields(surgical.Error{}, "RunID"), cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", job.ID, diff)
				}
			}
			w.handle(w.Embed, in)
			w.settled(one)
			w.settled(three)
			w.Docs.Work = sound
			w.handle(w.Docs, in)
			if c.status == surgical.JobPending {
				w.handle(w.Embed, in)
				w.settled(odd)
			}
			run, err := w.Ledger.Close(t.Context(), w.Run(in.RunID), surgical.Succeeded{})
			w.must(err)
			if failed := c.status == surgical.JobFailed; failed != (run.Status == surgical.StatusFailed) || failed && run.Error.Failures[0].Target != odd.Target {
				t.Errorf("the run is %s: %+v", run.Status, run.Error)
			}
		})
	}
}

// Waiting is not failing: as long as a run gets on, another generation follows at
// once. If it does not, Abort postpones it.
func TestRunner_HandsOnPastAFailureIfItGotOn(t *testing.T) {
	odd, slow, quick := gitlab.IssueRef(7), gitlab.IssueRef(8), gitlab.MergeRequestRef(12)
	down := fmt.Errorf("write: %w", errDown)
	for _, c := range []struct {
		name string
		refs []surgical.EntityRef
		// batches is how many the slow entity has time for, of two.
		batches int
		want    workflow.Outcome // empty: the failure
	}{
		{"the unfinished job got on", []surgical.EntityRef{odd, slow}, 1, workflow.HandedOn},
		{"the unfinished job did not get on", []surgical.EntityRef{odd, slow}, 0, ""},
		{"another job is done", []surgical.EntityRef{odd, quick, slow}, 0, workflow.HandedOn},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.GitLab.SetIssue(gitlab.NewIssue(8, "Another", "Text", gitlab.Time{Time: w.Clock.Now()}))
			w.discuss(slow, 60)
			in := w.commit(surgical.Options{}, c.refs...)
			// The slow job comes last: it was claimed before.
			jobs, err := w.Ledger.Jobs(t.Context(), in.RunID)
			w.must(err)
			for _, job := range jobs {
				if job.Ref == slow {
					held, err := w.Ledger.ClaimJob(t.Context(), job, in.Generation, time.Minute)
					w.must(err)
					_, err = w.Ledger.HandOn(t.Context(), held)
					w.must(err)
				}
			}
			sound := w.Docs.Work
			w.Docs.Work = failingFor{unhurriedFor{sound, slow, batches(c.batches)}, odd, down}
			result, err := w.Docs.Handle(t.Context(), in)
			if result.Outcome != c.want || (c.want == "") != errors.As(err, new(workflow.Transient)) {
				t.Errorf("%+v, error %v, want %q", result, err, c.want)
			}
			if c.want == workflow.HandedOn {
				in.Generation++
			}
			w.Docs.Work = sound
			w.handle(w.Docs, in)
			w.handle(w.Embed, in)
			for _, ref := range c.refs {
				w.settled(ref)
			}
		})
	}
}

// unhurriedFor has a budget of its own for one entity.
type unhurriedFor struct {
	workflow.Work
	ref    surgical.EntityRef
	budget *workflow.Budget
}

func (u unhurriedFor) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	if job.Ref == u.ref {
		budget = u.budget
	}
	return u.Work.Do(ctx, run, job, budget)
}

// failingFor fails for one entity.
type failingFor struct {
	workflow.Work
	ref surgical.EntityRef
	err error
}

func (f failingFor) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	if job.Ref == f.ref {
		return ledger.Done{}, f.err
	}
	return f.Work.Do(ctx, run, job, budget)
}

// brittle does one job and fails at the next.
type brittle struct {
	workflow.Work
	did bool
}

func (b *brittle) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	if b.did {
		return ledger.Done{}, errDown
	}
	b.did = true
	return b.Work.Do(ctx, run, job, budget)
}

// Whatever call to DynamoDB fails, before it is applied or after, the next try
// gets all done: that of the state, or the embed job after a small change.
func TestRunner_GetsDoneAfterAFailureOfAnyCall(t *testing.T) {
	ref := gitlab.IssueRef(7)
	for _, c := range []struct {
		typ   surgical.JobType
		small int
	}{{surgical.JobDocs, 0}, {surgical.JobDocs, surgical.SmallChange}, {surgical.JobEmbed, 0}} {
		typ := c.typ
		for _, applied := range []bool{false, true} {
			for at, failed := 1, true; failed; at++ {
				failed = false
				t.Run(fmt.Sprintf("%s call %d, small %d, applied %t", typ, at, c.small, applied), func(t *testing.T) {
					w := newWorld(t)
					w.synced(ref)
					w.embedsSmall(c.small)
					w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "One more comment."})
					in, runner := w.commit(surgical.Options{}, ref), w.Docs
					if typ == surgical.JobEmbed {
						w.handle(w.Docs, in)
						runner = w.Embed
					}
					var n atomic.Int64
					w.intercept(func(_ context.Context, _ cloud.Call, send func() error) error {
						if n.Add(1) != int64(at) {
							return send()
						}
						failed = true
						if applied {
							if err := send(); err != nil {
								return err
							}
						}
						return errDown
					})
					result, err := runner.Handle(t.Context(), in)
					w.around.Store(nil)
					left := c.small > 0 && err == nil && result.DocumentsRegenerated > 0
					if failed && !left && !errors.As(err, new(workflow.Transient)) {
						t.Errorf("the failed try: %+v, error %v", result, err)
					}
					w.Clock.Advance(3 * time.Minute) // the lease of a claim whose answer got lost
					again, err := runner.Handle(t.Context(), in)
					w.must(err)
					if typ == surgical.JobDocs && again.DocumentsRegenerated > 0 {
						w.handle(w.Embed, in)
					}
					w.settled(ref)
					w.ends(in, again.Outcome)
				})
			}
		}
	}
}

func TestRunner_ReportsTheFailureOfGivingAJobBack(t *testing.T) {
	w := newWorld(t)
	in := w.commit(surgical.Options{}, gitlab.IssueRef(7))
	w.Docs.Work = failing{w.Docs.Work, surgical.NewError(surgical.CodeDocsFailed, "the first failure")}
	updates := 0
	w.intercept(func(_ context.Context, call cloud.Call, send func() error) error {
		if place(call) == "UpdateItem "+w.Tables.DependentQueue {
			if updates++; updates == 2 {
				return errDown
			}
		}
		return send()
	})
	if _, err := w.Docs.Handle(t.Context(), in); !errors.Is(err, errDown) || surgical.CodeOf(err) != surgical.CodeDocsFailed {
		t.Errorf("the error is %v", err)
	}
}

func TestLauncher_StartsThenRecords(t *testing.T) {
	for _, c := range []struct {
		name  string
		clean bool
		given func(*world, surgical.Run)
		// Generation and Pending are the row's afterwards.
		err        error
		launched   int
		generation int64
		pending    bool
	}{
		{"the first generation, clean", true, nil, nil, 1, 2, false},
		{"the first generation, not clean", false, nil, nil, 1, 2, true},
		{"no execution can be started", true, func(w *world, _ surgical.Run) { w.startFails = errDown }, errDown, 0, 1, true},
		{"the start cannot be recorded", true, func(w *world, _ surgical.Run) {
			w.once(func(call cloud.Call) bool { return call.Operation == "UpdateItem" }, func(func() error) error { return errDown })
		}, errDown, 1, 1, true},
		{"a newer generation is recorded", true, func(w *world, run surgical.Run) {
			w.must(w.Ledger.WorkflowStarted(w.T.Context(), run, 3, false))
		}, nil, 1, 3, true},
		{"the run has ended", true, func(w *world, run surgical.Run) {
			_, err := w.Ledger.Close(w.T.Context(), run, surgical.Cancelled{Error: surgical.NewError(surgical.CodeRunCancelled, "x")})
			w.must(err)
		}, nil, 1, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			// A second commit that supersedes something is not clean by itself.
			in := w.uncleanly(gitlab.IssueRef(7))
			run := w.Run(in.RunID)
			if c.given != nil {
				c.given(w, run)
			}
			err := w.Docs.Launcher.Launch(t.Context(), run, 2, c.clean)
			after := w.Run(in.RunID)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("the error is %v", err)
			}
			if diff := cmp.Diff([]any{c.launched, c.generation, c.pending}, []any{len(w.launched), after.Generation, after.SweepPending}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// uncleanly commits the entity in an attempt that may have left orphans.
func (w *world) uncleanly(ref surgical.EntityRef) workflow.Input {
	w.T.Helper()
	req := w.Request(surgical.OriginManual, ref)
	run, err := w.Ledger.Claim(w.T.Context(), surgical.Run{Request: req}, surgical.Claim{Request: req, MessageID: "m", Lease: time.Minute})
	w.must(err)
	_, err = w.Ledger.EnterIngest(w.T.Context(), run, 1)
	w.must(err)
	w.Clock.Advance(2 * time.Minute)
	_, err = w.Deliver(req)
	w.must(err)
	w.Workflow.Forget()
	return workflow.Input{RunID: req.RunID, Generation: 1}
}
