package surgical

import (
	"context"
	"errors"
)

// afterCommit goes on from the run's row: it ends a run that left no job, and
// starts the workflow of any other. It is repeated until it succeeds.
func (p *Processor) afterCommit(ctx context.Context, run Run, cleanup func(context.Context) error) (Verdict, error) {
	// What a crash leaves superseded, or another attempt staged, is the orphan
	// sweeper's.
	clean := cleanup != nil && run.CommittedBy == 1
	if cleanup != nil {
		if err := cleanup(ctx); err != nil {
			clean = false
			p.warn(ctx, run, "cleanup_left_to_sweeper", "error", err.Error())
		}
	}
	if run.JobsInserted == 0 {
		return p.close(ctx, run, Closing{Status: StatusSucceeded, Clean: clean})
	}
	if run.Generation > 0 {
		return done(), nil
	}
	if err := p.Workflow.Start(ctx, run.RunID, 1); err != nil {
		return p.troubled(err)
	}
	if err := p.Ledger.WorkflowStarted(ctx, run, 1, clean); err != nil && !errors.Is(err, ErrMoved) {
		return p.troubled(err)
	}
	p.log(ctx, run, "workflow_started", "jobs", run.JobsInserted, "generation", 1)
	return done(), nil
}
