package workflow_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestFinishAndAbort_CloseTheRun(t *testing.T) {
	ref := gitlab.IssueRef(7)
	finish := func(w *world, in workflow.Input) (workflow.Result, error) { return w.Finish.Handle(w.T.Context(), in) }
	abort := func(stage, name string) func(w *world, in workflow.Input) (workflow.Result, error) {
		return func(w *world, in workflow.Input) (workflow.Result, error) {
			return w.Abort.Handle(w.T.Context(), workflow.AbortInput{Input: in, Stage: stage, Error: name})
		}
	}
	const permanent = "Permanent"
	done := func(w *world, in workflow.Input) {
		w.handle(w.Docs, in)
		w.handle(w.Embed, in)
	}
	newer := func(w *world, in workflow.Input) {
		w.must(w.Ledger.WorkflowStarted(w.T.Context(), w.Run(in.RunID), 2, false))
	}
	hopeless := surgical.NewError(surgical.CodeDocsFailed, "hopeless")
	hopeless.Retryable = false
	failedJob := func(w *world, in workflow.Input) {
		w.Docs.Work = failing{w.Docs.Work, hopeless}
		w.handle(w.Docs, in)
	}
	down := func(w *world, _ workflow.Input) {
		w.intercept(func(context.Context, cloud.Call, func() error) error { return errDown })
	}
	const running, succeeded, failed = surgical.StatusRunning, surgical.StatusSucceeded, surgical.StatusFailed
	for _, c := range []struct {
		name    string
		given   func(*world, workflow.Input)
		handle  func(*world, workflow.Input) (workflow.Result, error)
		outcome workflow.Outcome
		status  surgical.RunStatus
		code    surgical.Code
		job     surgical.JobStatus
	}{
		{"finish, all done", done, finish, workflow.Done, succeeded, "", surgical.JobDone},
		{"finish, a job is open", nil, finish, workflow.Yielded, running, "", surgical.JobPending},
		{"finish, a job failed", failedJob, finish, workflow.Done, failed, surgical.CodeDocsFailed, surgical.JobFailed},
		{"finish, DynamoDB is down", down, finish, "", running, "", surgical.JobPending},
		{"abort of docs", nil, abort("docs", permanent), workflow.Done, failed, surgical.CodeDocsFailed, surgical.JobAborted},
		{"abort of embed", nil, abort("embed", permanent), workflow.Done, failed, surgical.CodeEmbedFailed, surgical.JobAborted},
		{"abort of finish, a job is open", nil, abort("finish", permanent), workflow.Done, failed, surgical.CodeInternal, surgical.JobAborted},
		{"abort of finish, all done", done, abort("finish", "Transient"), workflow.Done, succeeded, "", surgical.JobDone},
		{"abort of finish, a job failed", failedJob, abort("finish", permanent), workflow.Done, failed, surgical.CodeDocsFailed, surgical.JobFailed},
		{"abort, a newer generation is at work", newer, abort("docs", permanent), workflow.Yielded, running, "", surgical.JobPending},
		{"abort, DynamoDB is down", down, abort("docs", permanent), "", running, "", surgical.JobPending},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			in := w.commit(surgical.Options{}, ref)
			if c.given != nil {
				c.given(w, in)
			}
			result, err := c.handle(w, in)
			w.around.Store(nil)
			if (c.outcome == "") != errors.As(err, new(workflow.Transient)) {
				t.Errorf("the error is %v", err)
			}
			run := w.Run(in.RunID)
			var code surgical.Code
			if run.Error != nil {
				code = run.Error.Code
			}
			want := []any{c.outcome, c.status, c.code, c.job}
			if diff := cmp.Diff(want, []any{result.Outcome, run.Status, code, w.job(in.RunID, surgical.JobDocs).Status}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
