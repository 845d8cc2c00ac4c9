package dynamo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxIdle is how often in a row a request that makes no progress is sent if its
	// context has no deadline.
	maxIdle = 10
	// maxPause is the longest wait between two tries.
	maxPause = 2 * time.Second
)

var (
	// ErrNoTime reports that the context's deadline left no time for a request, or
	// for another try, but for the reserve.
	ErrNoTime = errors.New("the deadline leaves no time for the request")
	// errUnprocessed reports items or keys that DynamoDB left unprocessed to the end.
	errUnprocessed = errors.New("DynamoDB left a part of the request unprocessed")
	errIdle        = errors.New("no try made progress")
)

// pace spaces the tries of a request that DynamoDB throttles or answers in part.
// A single partition key takes 1,000 write units a second whatever the table
// takes, so waiting is part of writing a large entity.
type pace struct {
	// reserve is what the tries leave of the time until the context's deadline.
	reserve     time.Duration
	tries, idle int
}

// paceOf returns the pace of a request that begins now.
func paceOf(ctx context.Context) pace { return pace{reserve: reserveOf(ctx)} }

// reserveOf is what a request that begins now leaves of the context's time:
// [surgical.ThrottleReserve], but at most half, so that a function that has less
// than the reserve waits as well.
func reserveOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return min(surgical.ThrottleReserve, time.Until(deadline)/2)
}

// progress notes that the last try did a part of the work.
func (p *pace) progress() { p.idle = 0 }

// again waits before the next try. The error is why there is to be none: the
// context's, [ErrNoTime], or, without a deadline, [maxIdle] tries in a row without
// progress. Progress does not make up for missing time: a function that is killed
// while it gets on hands nothing on.
func (p *pace) again(ctx context.Context) error {
	p.tries++
	p.idle++
	if _, limited := ctx.Deadline(); !limited && p.idle >= maxIdle {
		return errIdle
	}
	wait := PauseBefore(p.tries)
	if err := spare(ctx, wait+p.reserve); err != nil {
		return err
	}
	return duration.Wait(ctx, wait)
}

// spare returns the context's error, or [ErrNoTime] unless its deadline, if it has
// one, is further away than d.
func spare(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && time.Until(deadline) <= d {
		return ErrNoTime
	}
	return ctx.Err()
}

// PauseBefore returns how long to wait before a retry: a random time between half and
// all of 20, 40, 80 ms and so on, up to [maxPause], so that requests that were
// throttled together do not return together. It is drawn from the clock, so that it can
// be repeated where the clock is simulated.
func PauseBefore(try int) time.Duration {
	longest := min(maxPause, 10*time.Millisecond<<min(try, 10))
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(try)))
	return longest/2 + time.Duration(random.Int64N(int64(longest/2)+1))
}
