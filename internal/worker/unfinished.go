package worker

import (
	"context"
	"errors"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// errCrowded reports that a run needs more time than other runs left it.
var errCrowded = errors.New("other runs of the worker left too little time to write the copy")

// errUnfinished reports that the whole time of a worker was too short.
var errUnfinished = errors.New("the whole time of a worker was too short")

// lastUnfinished reports whether the run is not tried again if the attempt that
// holds it is one more for which the whole time of a worker was too short.
func lastUnfinished(run surgical.Run) bool { return run.Unfinished+1 >= surgical.MaxUnfinished }

// unfinished returns the failure of a staging that began then and ended with err.
//
// Running out of time while DynamoDB throttles is waiting, and a later attempt may
// write everything, if the time would have been enough at the rate that DynamoDB
// takes from everybody. If not even that rate was enough, the run is too large for
// the time that it had: beside other runs it is crowded, and if it had the whole time
// of a worker several times, it never ends. The error matches [errUnfinished] if it
// had that time now.
func (e *Engine) unfinished(ctx context.Context, run surgical.Run, changes []*content.Change, began time.Time, err error) error {
	if !errors.Is(err, dynamo.ErrNoTime) {
		return err
	}
	var units int64
	for _, change := range changes { // they are written one after another
		units += change.StagedUnits()
	}
	now := e.Clock()
	had := now.Sub(began)
	switch {
	case time.Duration(units)*time.Second/surgical.PartitionWriteUnits <= had:
		return err
	case !room.From(ctx).Sole():
		return errCrowded
	case now.Sub(run.Marks.PreflightStarted) < surgical.WholeAttempt:
		return err
	case !lastUnfinished(run):
		return errors.Join(errUnfinished, err)
	}
	why := surgical.WriteTooLong(len(run.Targets), units, had)
	why.Total = len(run.Targets)
	for _, change := range changes {
		why.Failures = append(why.Failures, surgical.TargetFailure{Target: change.Ref.Target, Code: why.Code, Message: why.Message, Action: why.Action, Retryable: why.Retryable})
	}
	return why
}
