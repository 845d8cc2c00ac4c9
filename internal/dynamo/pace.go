package dynamo

import (
	"context"
	"errors"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// minTries is how often a request that makes no progress is sent at least, if
	// its context does not end before.
	minTries = 10
	// maxPause bounds the wait between two tries.
	maxPause = 2 * time.Second
)

// errUnprocessed reports items or keys that DynamoDB left unprocessed to the end.
var errUnprocessed = errors.New("DynamoDB left a part of the request unprocessed")

// pace spaces the tries of a request that DynamoDB throttles or answers in part.
// A single partition key takes 1,000 write units a second whatever the table
// takes, so waiting is part of writing a large entity.
type pace struct{ tries, idle int }

// progress notes that the last try did a part of the work.
func (p *pace) progress() { p.idle = 0 }

// again waits before the next try and reports whether there is to be one: after
// [minTries] in a row without progress only as long as the context's deadline
// leaves [surgical.ThrottleReserve]. The error is the context's.
func (p *pace) again(ctx context.Context) (bool, error) {
	p.tries++
	p.idle++
	if p.idle >= minTries && !spare(ctx, pauseBefore(p.tries)+surgical.ThrottleReserve) {
		return false, nil
	}
	return true, pause(ctx, p.tries)
}

// spare reports whether the context has a deadline that is further away than d.
func spare(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) > d
}

// pause waits before a retry: 0, 20, 40, 80 ms and so on, up to [maxPause].
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	return duration.Wait(ctx, pauseBefore(try))
}

func pauseBefore(try int) time.Duration { return min(maxPause, 10*time.Millisecond<<min(try, 10)) }
