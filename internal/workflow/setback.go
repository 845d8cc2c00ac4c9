package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Names of the errors by which a state of the workflow may fail. Any other name,
// such as Runtime.ExitError or States.Timeout, means that a function died.
const (
	namePermanent = "Permanent"
	nameTransient = "Transient"
	// ExecutionLost is how an execution ended of which nothing is left but the claim
	// of a function that died.
	ExecutionLost = "ExecutionLost"
	// ExecutionUnclaimed is how an execution ended whose functions left no claim:
	// Lambda may have started none of them.
	ExecutionUnclaimed = "ExecutionUnclaimed"
)

// invocationFailures are the errors of Lambda itself.
var invocationFailures = []string{
	"Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException",
}

// Setbacks settles a run whose execution ended before its jobs were done.
type Setbacks struct {
	Ledger *ledger.Ledger
	Clock  func() time.Time
}

// Settle closes the run as succeeded if all its jobs are done, which only finish
// failed to record. Otherwise it postpones the run: waiting for a throttled or
// failing dependency is not a failure, and a dead function may have been killed
// by chance. It closes the run as failed if the failure was permanent, if
// functions died too often, or if the time to give up has come. What was
// committed stays, and its dirty sources wait for a later run of the entity.
//
// stage is the state that failed, name the name of its error. A run that moved on
// in the meantime is returned as it is, with [Yielded].
func (s *Setbacks) Settle(ctx context.Context, run surgical.Run, generation int64, stage surgical.Stage, name string) (surgical.Run, Outcome, error) {
	if run.Committed() {
		closed, err := s.Ledger.Close(ctx, run, surgical.Succeeded{})
		if !errors.Is(err, surgical.ErrOpenJobs) {
			return closed, Done, err
		}
		run = closed
	}
	if run.Postponed(generation) && name != namePermanent {
		return run, Postponed, nil // by an abort whose answer was lost
	}
	if !s.final(run, name) {
		after, err := s.Ledger.Postpone(ctx, run, generation, ledger.Setback{
			Error: waiting(run.RunID, stage, name), Lost: lost(name), ResumeAt: s.Clock().Add(resumeDelay(run)),
		})
		if errors.Is(err, surgical.ErrMoved) {
			return run, Yielded, nil
		}
		return after, Postponed, err
	}
	closed, err := s.Ledger.Close(ctx, run, surgical.Failed{Error: surgical.StageError(run.RunID, stage)})
	return closed, Done, err
}

// final reports whether the run must not be tried again.
func (s *Setbacks) final(run surgical.Run, name string) bool {
	return !run.Committed() || name == namePermanent ||
		lost(name) && run.LostStages+1 >= surgical.MaxLostStages ||
		s.Clock().Sub(run.Marks.Committed) >= surgical.GiveUpAfter
}

func lost(name string) bool {
	return name != namePermanent && name != nameTransient && name != ExecutionUnclaimed && !slices.Contains(invocationFailures, name)
}

// resumeDelay doubles with every execution of the run that ended too early.
func resumeDelay(run surgical.Run) time.Duration {
	return min(surgical.MaxResume, surgical.FirstResume<<min(run.FailedStages, 10))
}

// waiting is the error of a run that goes on later.
func waiting(runID string, stage surgical.Stage, name string) *surgical.Error {
	e := surgical.StageError(runID, stage)
	e.Message = fmt.Sprintf("%s; the run is tried again (%s)", e.Message, name)
	e.Action = surgical.ActionRetryAfter
	return e
}
