package workflow_test

import (
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Waiting is not failing: only a permanent failure, too many deaths or the time
// to give up end a run whose jobs are open.
func TestSetbacks_PostponeUntilTheTimeToGiveUp(t *testing.T) {
	for _, c := range []struct {
		name string
		// errors are those that ended the executions before, in order.
		errors []string
		after  time.Duration
		then   string
		want   workflow.Outcome
		delay  time.Duration
	}{
		{"transient", nil, 0, "Transient", workflow.Postponed, 30 * time.Second},
		{"throttled by Lambda", nil, 0, "Lambda.TooManyRequestsException", workflow.Postponed, 30 * time.Second},
		{"dead", nil, 0, "Runtime.ExitError", workflow.Postponed, 30 * time.Second},
		{"timed out", nil, 0, "States.Timeout", workflow.Postponed, 30 * time.Second},
		{"permanent", nil, 0, "Permanent", workflow.Done, 0},
		{"transient again", []string{"Transient", "Transient"}, 0, "Transient", workflow.Postponed, 2 * time.Minute},
		{"transient for the twentieth time", repeat("Transient", 19), 0, "Transient", workflow.Postponed, 10 * time.Minute},
		{"dead for the fourth time", repeat("Runtime.ExitError", 3), 0, "Runtime.ExitError", workflow.Postponed, 4 * time.Minute},
		{"dead for the fifth time", repeat("Runtime.ExitError", 4), 0, workflow.ExecutionLost, workflow.Done, 0},
		{"not begun, after four deaths", repeat("Runtime.ExitError", 4), 0, workflow.ExecutionUnclaimed, workflow.Postponed, 8 * time.Minute},
		{"transient after four deaths", repeat("Sandbox.Timedout", 4), 0, "Transient", workflow.Postponed, 8 * time.Minute},
		{"transient almost six hours after the commit", nil, 6*time.Hour - time.Second, "Transient", workflow.Postponed, 30 * time.Second},
		{"transient six hours after the commit", nil, 6 * time.Hour, "Transient", workflow.Done, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			in := w.commit(surgical.Options{}, gitlab.IssueRef(7))
			for _, name := range c.errors {
				if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "docs", Error: name}); err != nil {
					t.Fatal(err)
				}
				in.Generation++
			}
			w.Clock.Advance(c.after)
			result, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "docs", Error: c.then})
			if err != nil || result.Outcome != c.want {
				t.Fatalf("%+v, %v, want %s", result, err, c.want)
			}
			run := w.Run(in.RunID)
			if run.Error == nil || run.Error.Code != surgical.CodeDocsFailed {
				t.Errorf("the error is %v", run.Error)
			}
			job := w.job(in.RunID, surgical.JobDocs).Status
			if c.want == workflow.Done {
				if run.Status != surgical.StatusFailed || job != surgical.JobAborted {
					t.Errorf("the run is %s and its job %s", run.Status, job)
				}
				return
			}
			if delay := run.ResumeAt.Sub(w.Clock.Now()); run.Status != surgical.StatusRunning || job != surgical.JobPending || delay < c.delay-time.Second || delay > c.delay {
				t.Errorf("the run is %s, its job %s, and it is resumed after %v, want %v", run.Status, job, delay, c.delay)
			}
		})
	}
}

// An alarm is on these: nothing else reports that Lambda starts no stage.
func TestAbort_CountsTheRunsWhoseStagesLambdaDidNotStart(t *testing.T) {
	for name, want := range map[string]int{"Lambda.TooManyRequestsException": 1, "Transient": 0, "Permanent": 0} {
		w := newWorld(t)
		in := w.commit(surgical.Options{}, gitlab.IssueRef(7))
		w.Output.Take()
		if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "embed", Error: name}); err != nil {
			t.Fatal(err)
		}
		counted := strings.Count(strings.Join(w.Output.Take(), ""), `"`+metrics.StagesThrottled().Name+`":1`)
		if counted != want {
			t.Errorf("%s: counted %d times, want %d", name, counted, want)
		}
	}
}

// Lambda and Step Functions repeat an abort whose answer they did not get.
func TestSetbacks_CountARepeatedAbortOnce(t *testing.T) {
	w := newWorld(t)
	in := w.commit(surgical.Options{}, gitlab.IssueRef(7))
	for deaths := range int64(surgical.MaxLostStages - 1) {
		var resume time.Time
		for range 3 {
			result, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "docs", Error: "Runtime.ExitError"})
			if err != nil || result.Outcome != workflow.Postponed {
				t.Fatalf("%+v, %v", result, err)
			}
			run := w.Run(in.RunID)
			if run.FailedStages != deaths+1 || run.LostStages != deaths+1 || !resume.IsZero() && !run.ResumeAt.Equal(resume) {
				t.Errorf("%d failed and %d lost stages, resumed at %v after %v", run.FailedStages, run.LostStages, run.ResumeAt, resume)
			}
			resume = run.ResumeAt
			w.Clock.Advance(time.Second)
		}
		in.Generation++
	}
	// What every other try would meet as well still ends the run.
	in.Generation--
	if result, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "docs", Error: "Permanent"}); err != nil || result.Outcome != workflow.Done {
		t.Errorf("%+v, %v", result, err)
	}
}

// The generation that resumes a run does what is left, and the run succeeds
// without a trace of the wait.
func TestSetbacks_ResumedRunSucceeds(t *testing.T) {
	w := newWorld(t)
	in := w.commit(surgical.Options{}, gitlab.IssueRef(7))
	if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "docs", Error: "Transient"}); err != nil {
		t.Fatal(err)
	}
	in.Generation++
	w.handle(w.Docs, in)
	if run := w.Run(in.RunID); !run.ResumeAt.IsZero() || run.Generation != in.Generation {
		t.Errorf("generation %d, to be resumed at %v", run.Generation, run.ResumeAt)
	}
	w.handle(w.Embed, in)
	if _, err := w.Finish.Handle(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if run := w.Run(in.RunID); run.Status != surgical.StatusSucceeded || run.Error != nil || run.FailedStages != 1 {
		t.Errorf("%s, %v, %d failed stages", run.Status, run.Error, run.FailedStages)
	}
}

func repeat(name string, n int) (names []string) {
	for range n {
		names = append(names, name)
	}
	return names
}
