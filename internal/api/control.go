package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// retryFailed is deterministic: the new run's id is derived from the old one's,
// and the row that is inserted first decides its targets.
func (s *server) retryFailed(ctx context.Context, in *runInput) (*retryOutput, error) {
	run, err := s.allowedRun(ctx, in.RunID)
	if err != nil {
		return nil, err
	}
	retry, err := s.retryOf(ctx, run)
	if err != nil {
		return nil, err
	}
	accepted, err := s.accepted(ctx, retry)
	if err != nil {
		return nil, err
	}
	return &retryOutput{Location: accepted.Location, Body: summaryOf(retry)}, nil
}

type retryOutput struct {
	Location string `header:"Location"`
	Body     RunSummary
}

// retryOf finds or creates the run that retries.
func (s *server) retryOf(ctx context.Context, run surgical.Run) (surgical.Run, error) {
	if run.RetriedBy != "" {
		retry, err := s.Runs.Run(ctx, run.RetriedBy)
		if err == nil && !retries(run, retry) {
			err = conflictOf(run, "it was retried as run "+retry.RunID+", which is about other entities; start a new run")
		}
		return retry, err
	}
	if run.Status != surgical.StatusFailed && run.Status != surgical.StatusCancelled {
		return run, conflictOf(run, "only a failed or cancelled run can be retried; its status is "+string(run.Status))
	}
	targets, err := s.retryTargets(ctx, run)
	if err != nil {
		return run, err
	}
	if len(targets) == 0 {
		why := "none of its targets can succeed on a retry"
		if run.Committed() {
			why = "it left nothing undone"
		}
		return run, conflictOf(run, why)
	}
	parent, _ := trace.From(ctx)
	retry, err := s.Runs.Retry(ctx, run, surgical.Request{
		RunID: surgical.RunID(surgical.OriginRetry, run.RunID), ProjectID: run.ProjectID, Targets: targets, Options: run.Options,
		Origin: surgical.OriginRetry, EventAt: s.Clock(), Evidence: run.Evidence, RetryOf: run.RunID, TraceParent: parent,
	}, "")
	if errors.Is(err, surgical.ErrMoved) {
		return run, movedOn(run.RunID)
	}
	return retry, err
}

// retries reports whether the entities of a retry are among those of the run.
func retries(run, retry surgical.Run) bool {
	return retry.ProjectID == run.ProjectID && !slices.ContainsFunc(retry.Targets, func(t surgical.Target) bool {
		return !slices.Contains(run.Targets, t)
	})
}

// retryTargets are the failed targets that can succeed, and those whose
// documents or embeddings were left undone.
func (s *server) retryTargets(ctx context.Context, run surgical.Run) ([]surgical.Target, error) {
	rows, err := s.Runs.Entities(ctx, run.RunID)
	if err != nil {
		return nil, err
	}
	var jobs []surgical.Job
	if run.JobsInserted > 0 {
		if jobs, err = s.Runs.Jobs(ctx, run.RunID); err != nil {
			return nil, err
		}
	}
	chosen := map[surgical.Target]bool{}
	for _, row := range rows {
		if row.Status == surgical.EntityFailed && row.Code.CanSucceedLater() {
			chosen[row.Ref.Target] = true
		}
	}
	for _, job := range jobs {
		if job.Status == surgical.JobAborted || job.Status == surgical.JobFailed {
			chosen[job.Ref.Target] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(run.Targets), func(t surgical.Target) bool { return !chosen[t] }), nil
}

func conflictOf(run surgical.Run, why string) error {
	return surgical.NewError(surgical.CodeConflict, fmt.Sprintf("run %s: %s", run.RunID, why))
}

// movedOn is the error after losing every race for the row.
func movedOn(runID string) error {
	e := surgical.NewError(surgical.CodeConflict, fmt.Sprintf("run %s changed in the meantime; try again", runID))
	e.Retryable, e.Action, e.RetryAfter = true, surgical.ActionRetryAfter, time.Second
	return e
}

// cancel closes the run. Commits and the ends of jobs are conditional on a
// running run; a stage looks at it before each batch of documents.
func (s *server) cancel(ctx context.Context, in *runInput) (*answer[SyncResult], error) {
	run, err := s.allowedRun(ctx, in.RunID)
	if err != nil {
		return nil, err
	}
	noteRun(ctx, run.RunID)
	why := surgical.NewError(surgical.CodeRunCancelled, "the run was cancelled by request")
	run, err = s.Runs.Close(ctx, run, surgical.Cancelled{Error: why})
	switch {
	case errors.Is(err, surgical.ErrMoved):
		return nil, movedOn(in.RunID)
	case err != nil:
		return nil, err
	case run.Status != surgical.StatusCancelled:
		return nil, conflictOf(run, "it can no longer be cancelled; its status is "+string(run.Status))
	}
	view, err := s.runView(ctx, run)
	return &answer[SyncResult]{view}, err
}
