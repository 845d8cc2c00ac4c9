package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Finish is the function that ends a run whose jobs have all ended.
type Finish struct {
	Ledger *ledger.Ledger
	Log    *slog.Logger
}

// Handle closes the run: as succeeded, or as failed if a job failed. With open
// jobs it ends quietly: the execution that does them comes here later.
func (f *Finish) Handle(ctx context.Context, in Input) (Result, error) {
	ctx = trace.With(ctx, in.TraceParent, in.RunID)
	run, err := f.Ledger.Run(ctx, in.RunID)
	if err != nil {
		return Result{}, Transient{err}
	}
	run, err = f.Ledger.Close(ctx, run, surgical.Succeeded{})
	if errors.Is(err, surgical.ErrOpenJobs) {
		f.Log.InfoContext(ctx, "jobs_open", "run_id", in.RunID, "generation", in.Generation)
		return Result{Outcome: Yielded}, nil
	}
	if err != nil {
		return Result{}, Transient{fmt.Errorf("finish run %s: %w", in.RunID, err)}
	}
	run.LogClosed(ctx, f.Log, "generation", in.Generation)
	return Result{Outcome: Done}, nil
}
