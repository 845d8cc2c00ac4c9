package embedding

import (
	"context"
	"errors"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// firstPause and maxPause bound the wait after a failure, which doubles with
	// each further one before the next answer.
	firstPause = 3 * time.Second
	maxPause   = 16 * time.Second
	// firstInterval and maxInterval bound the interval between two requests to an
	// endpoint that throttles. An interval below minInterval is none.
	firstInterval = 100 * time.Millisecond
	maxInterval   = 2 * time.Second
	minInterval   = 10 * time.Millisecond
)

// errNoTime reports that the endpoint allows no request before the function has
// to hand its work on.
var errNoTime = errors.New("no time is left to wait for the embedder")

// pace spaces the requests of one process, so that processes that share a quota
// without knowing of each other use it up with few refused requests. A failure
// stops all requests for a while and makes the interval between them half as
// long again; each answer makes it 0.5% shorter. So about one request in 80 fails
// where the quota is the limit. The pace is kept from one invocation to the next.
type pace struct {
	// jitter returns a random duration in [0, d); nil returns 0.
	jitter func(d time.Duration) time.Duration

	mu sync.Mutex
	// free is when the next request may be sent.
	free     time.Time
	interval time.Duration
	// failures counts those since the last answer; slowed is when the first of
	// them arrived.
	failures int
	slowed   time.Time
}

// do calls send until it succeeds or fails permanently, as long as the deadline of
// ctx leaves [surgical.HandOnReserve]. Without a deadline it calls send once. The
// error is send's last one.
func (p *pace) do(ctx context.Context, send func() error) error {
	var last error
	for {
		sent, err := p.wait(ctx)
		if err != nil {
			if last != nil {
				return last
			}
			return transient(err, p.pause(), "the request to the embedder was not sent")
		}
		last = send()
		if last == nil {
			p.answered()
			return nil
		}
		failure := surgical.AsError(last)
		if !failure.Retryable || ctx.Err() != nil {
			return last
		}
		p.failed(sent, failure.RetryAfter)
		if _, ok := ctx.Deadline(); !ok {
			return last
		}
	}
}

// wait waits for the next request's turn and returns the time. The error is
// [errNoTime] or the context's.
func (p *pace) wait(ctx context.Context) (time.Time, error) {
	for {
		if err := ctx.Err(); err != nil {
			return time.Time{}, err
		}
		now, turn := p.turn()
		if turn <= 0 {
			return now, nil
		}
		if !timeLeft(ctx, turn) {
			return time.Time{}, errNoTime
		}
		if err := duration.Wait(ctx, turn); err != nil {
			return time.Time{}, err
		}
	}
}

// turn takes the turn if it has come, and otherwise returns how long to wait.
func (p *pace) turn() (now time.Time, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = time.Now()
	if wait = p.free.Sub(now); wait <= 0 {
		p.free = now.Add(p.interval)
	}
	return now, wait
}

// pause returns how long no request may be sent.
func (p *pace) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, time.Until(p.free))
}

func (p *pace) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
	if p.interval = p.interval * 995 / 1000; p.interval < minInterval {
		p.interval = 0
	}
}

// failed notes the failure of a request. Those that were sent before the last
// failure count with it.
func (p *pace) failed(sent time.Time, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	wait := retryAfter
	if sent.After(p.slowed) {
		if p.failures == 0 {
			p.interval = min(maxInterval, max(firstInterval, p.interval*3/2))
		}
		backoff := min(maxPause, firstPause<<min(p.failures, 10))
		wait = max(wait, backoff/2+p.random(backoff/2))
		p.failures++
		p.slowed = now
	}
	if until := now.Add(wait); until.After(p.free) {
		p.free = until
	}
}

func (p *pace) random(d time.Duration) time.Duration {
	if p.jitter == nil {
		return 0
	}
	return p.jitter(d)
}

// timeLeft reports whether the context's deadline, if there is one, leaves
// [surgical.HandOnReserve] after d.
func timeLeft(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline)-d > surgical.HandOnReserve
}
