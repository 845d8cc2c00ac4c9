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

// AbortInput is what the state machine hands to abort.
type AbortInput struct {
	Input
	// Stage is the state that failed: docs, embed or finish.
	Stage string `json:"stage"`
	// Error is the error's name, such as States.Timeout.
	Error string `json:"error"`
}

// Abort is the function that ends a run whose workflow failed.
type Abort struct {
	Ledger *ledger.Ledger
	Log    *slog.Logger
}

// Handle closes the run as failed and aborts its open jobs, unless a newer
// generation is at work. What was committed stays, and its dirty sources wait
// for a retry or the drain. If all of the run's jobs have ended, only finish
// failed: the run is closed as finish would have closed it.
func (a *Abort) Handle(ctx context.Context, in AbortInput) (Result, error) {
	ctx = trace.With(ctx, in.TraceParent, in.RunID)
	run, err := a.Ledger.Run(ctx, in.RunID)
	if err != nil {
		return Result{}, Transient{err}
	}
	if run.Generation > in.Generation {
		return Result{Outcome: Yielded}, nil
	}
	if run.Committed() {
		run, err = a.Ledger.Close(ctx, run, surgical.Succeeded{})
	}
	if !run.Committed() || errors.Is(err, surgical.ErrOpenJobs) {
		run, err = a.Ledger.Close(ctx, run, surgical.Failed{Error: surgical.StageError(in.RunID, surgical.Stage(in.Stage))})
	}
	if err != nil {
		return Result{}, Transient{fmt.Errorf("abort run %s: %w", in.RunID, err)}
	}
	run.LogClosed(ctx, a.Log, "error_name", in.Error, "generation", in.Generation)
	return Result{Outcome: Done}, nil
}
