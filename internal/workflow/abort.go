package workflow

import (
	"context"
	"fmt"
	"log/slog"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
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

// Abort is the function that settles a run whose execution failed.
type Abort struct {
	Setbacks *Setbacks
	Log      *slog.Logger
	// Meter may be nil.
	Meter *metrics.Emitter
}

// refusedStart is the error of a function that Lambda did not start, for lack of
// concurrency.
const refusedStart = "Lambda.TooManyRequestsException"

// Handle settles the run ([Setbacks]), unless a newer generation is at work.
func (a *Abort) Handle(ctx context.Context, in AbortInput) (Result, error) {
	ctx = trace.With(ctx, in.TraceParent, in.RunID)
	run, err := a.Setbacks.Ledger.Run(ctx, in.RunID)
	if err != nil {
		return Result{}, Transient{err}
	}
	if run.Generation > in.Generation {
		return Result{Outcome: Yielded}, nil
	}
	run, outcome, err := a.Setbacks.Settle(ctx, run, in.Generation, surgical.Stage(in.Stage), in.Error)
	if err != nil {
		return Result{}, Transient{fmt.Errorf("abort run %s: %w", in.RunID, err)}
	}
	if in.Error == refusedStart {
		a.Meter.StageThrottled()
	}
	if outcome == Postponed {
		a.Log.WarnContext(ctx, "run_postponed", "run_id", in.RunID, "stage", in.Stage, "error_name", in.Error,
			"generation", in.Generation, "failed_stages", run.FailedStages, "lost_stages", run.LostStages)
	} else {
		run.LogClosed(ctx, a.Log, "error_name", in.Error, "generation", in.Generation)
	}
	return Result{Outcome: outcome}, nil
}
