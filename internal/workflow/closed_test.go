package workflow_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// small is a committed run of one small change, which docs embeds.
func small(w *world) workflow.Input {
	w.embedsSmall(surgical.SmallChange)
	return w.commit(surgical.Options{}, gitlab.IssueRef(7))
}

// Docs closes a run only if it did all that was to be done. The rest is finish's.
func TestRunner_ClosesARunOfWhichNothingIsLeft(t *testing.T) {
	one, two := gitlab.IssueRef(7), gitlab.MergeRequestRef(12)
	hopeless := surgical.NewError(surgical.CodeDocsFailed, "hopeless")
	hopeless.Retryable = false
	for _, c := range []struct {
		name    string
		commit  func(w *world) workflow.Input
		outcome workflow.Outcome
		status  surgical.RunStatus
	}{
		{"a small change", small, workflow.Closed, surgical.StatusSucceeded},
		{"without embeddings", func(w *world) workflow.Input { return w.commit(surgical.Options{NoEmbed: true}, one) }, workflow.Closed, surgical.StatusSucceeded},
		{"a large change", func(w *world) workflow.Input { return w.commit(surgical.Options{}, one) }, workflow.Done, surgical.StatusRunning},
		{"two targets", func(w *world) workflow.Input {
			w.embedsSmall(surgical.SmallChange)
			return w.commit(surgical.Options{}, one, two)
		}, workflow.Done, surgical.StatusRunning},
		{"two targets, of which one changed", func(w *world) workflow.Input {
			w.synced(one)
			w.embedsSmall(surgical.SmallChange)
			return w.commit(surgical.Options{}, one, two)
		}, workflow.Closed, surgical.StatusSucceeded},
		{"documents that cannot be regenerated", func(w *world) workflow.Input {
			w.Docs.Work = failing{w.Docs.Work, hopeless}
			return w.commit(surgical.Options{}, one)
		}, workflow.Done, surgical.StatusRunning},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			in := c.commit(w)
			w.Output.Take()
			result, err := w.Docs.Handle(t.Context(), in)
			w.must(err)
			if run := w.Run(in.RunID); result.Outcome != c.outcome || run.Status != c.status {
				t.Errorf("docs is %s, the run %s; want %s and %s", result.Outcome, run.Status, c.outcome, c.status)
			}
			want := 0
			if c.outcome == workflow.Closed {
				want = 1
			}
			if logged, counted := w.endings(); logged != want || counted != want {
				t.Errorf("logged as closed %d times, and counted %d times, want %d", logged, counted, want)
			}
		})
	}
}

// endings counts the lines since it was called last that say that a run ended, and those
// that count one.
func (w *world) endings() (logged, counted int) {
	text := strings.Join(w.Output.Take(), "\n")
	return strings.Count(text, `"msg":"closed"`), strings.Count(text, `"Runs":1`)
}

// closed checks that the run has succeeded, and that handle changes nothing of it.
func (w *world) closed(in workflow.Input, want workflow.Outcome, handle func() (workflow.Result, error)) {
	w.T.Helper()
	before := w.Run(in.RunID)
	w.Clock.Advance(time.Second)
	w.Output.Take()
	result, err := handle()
	if err != nil || result.Outcome != want || before.Status != surgical.StatusSucceeded || !reflect.DeepEqual(before, w.Run(in.RunID)) {
		w.T.Errorf("%+v, error %v; the run was %s and is %+v", result, err, before.Status, w.Run(in.RunID))
	}
	if _, counted := w.endings(); counted > 0 {
		w.T.Errorf("the run is counted again")
	}
}

// What Step Functions may still invoke for a run that docs closed: docs again, because its
// answer was lost, finish or abort, by a state machine of before this version.
func TestRunner_ARunThatItClosedStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	in := small(w)
	w.handle(w.Docs, in)
	w.closed(in, workflow.Yielded, func() (workflow.Result, error) { return w.Docs.Handle(t.Context(), in) })
	w.closed(in, workflow.Yielded, func() (workflow.Result, error) { return w.Embed.Handle(t.Context(), in) })
	w.closed(in, workflow.Done, func() (workflow.Result, error) { return w.Finish.Handle(t.Context(), in) })
	for _, stage := range []string{"docs", "finish"} {
		w.closed(in, workflow.Done, func() (workflow.Result, error) {
			return w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: stage, Error: "Permanent"})
		})
	}
	next := workflow.Input{RunID: in.RunID, Generation: in.Generation + 1}
	w.closed(in, workflow.Yielded, func() (workflow.Result, error) { return w.Docs.Handle(t.Context(), next) })
}

// If the answer of the transaction that closes the run is lost, the next try finds it
// closed. If it was not applied, embed and finish do the rest: a job that was claimed
// before embeds nothing.
func TestRunner_ClosesARunOnceWhateverBecomesOfTheAnswer(t *testing.T) {
	for _, applied := range []bool{true, false} {
		w := newWorld(t)
		in := small(w)
		lost := false
		w.once(w.endsJob, func(send func() error) error {
			lost = true
			if applied {
				w.must(send())
			}
			return errDown
		})
		if _, err := w.Docs.Handle(t.Context(), in); !lost || !errors.As(err, new(workflow.Transient)) {
			t.Errorf("applied %t: lost %t, error %v", applied, lost, err)
		}
		w.around.Store(nil)
		again, err := w.Docs.Handle(t.Context(), in)
		want := workflow.Yielded
		if !applied {
			want = workflow.Done
			w.handle(w.Embed, in)
		}
		if err != nil || again.Outcome != want {
			t.Errorf("applied %t: %+v, error %v, want %s", applied, again, err, want)
		}
		w.ends(in, again.Outcome)
		w.settled(gitlab.IssueRef(7))
	}
}

// A run that was cancelled while its documents were written stays cancelled.
func TestRunner_ClosesNoRunThatWasCancelled(t *testing.T) {
	w := newWorld(t)
	in := small(w)
	w.once(w.endsJob, func(send func() error) error {
		_, err := w.Ledger.Close(t.Context(), w.Run(in.RunID), surgical.Cancelled{Error: surgical.NewError(surgical.CodeRunCancelled, "x")})
		w.must(err)
		return send()
	})
	result, err := w.Docs.Handle(t.Context(), in)
	if run := w.Run(in.RunID); err != nil || result.Outcome != workflow.Yielded || run.Status != surgical.StatusCancelled || run.Counters.JobsAborted != 1 {
		t.Errorf("%+v, error %v; the run is %s", result, err, run.Status)
	}
}

// Docs of the version before ends the job, and answers as it did: finish closes the run.
func TestFinish_ClosesARunWhoseJobAnOlderDocsEnded(t *testing.T) {
	w := newWorld(t)
	in := small(w)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	done, err := w.Docs.Work.Do(t.Context(), run, &job, batches(2))
	w.must(err)
	_, _, err = w.Ledger.FinishJob(t.Context(), surgical.Run{}, job, done)
	w.must(err)
	if run := w.Run(in.RunID); run.Status != surgical.StatusRunning {
		t.Fatalf("the run is %s", run.Status)
	}
	// A retry by docs of this version leaves the closing to finish, too.
	if again := w.handle(w.Docs, in); again.Outcome != workflow.Done {
		t.Errorf("%+v", again)
	}
	w.ends(in, workflow.Done)
	w.settled(gitlab.IssueRef(7))
}
