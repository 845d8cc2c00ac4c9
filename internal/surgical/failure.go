package surgical

import (
	"context"
	"errors"
	"time"
)

const (
	// Delays between attempts double from firstDelay to maxDelay.
	firstDelay = 2 * time.Second
	maxDelay   = 2 * time.Minute
	// maxRetryAfter is the longest delay that the queue can carry: SQS hides a
	// message for 12 hours at most.
	maxRetryAfter = 11 * time.Hour
	// defaultPause is how long all workers wait when GitLab does not say.
	defaultPause = time.Minute
	// troubleDelay is the delay after a failure of Lorehook's own parts.
	troubleDelay = 5 * time.Second
)

// failed ends an attempt that holds the run: for good, or until later.
func (p *Processor) failed(ctx context.Context, run Run, cause error, requests int64) (Verdict, error) {
	if errors.Is(cause, ErrMoved) {
		// Somebody else has the run, or it was cancelled: the next delivery sees.
		return waitFor(troubleDelay), cause
	}
	e := AsError(cause)
	// A failed preflight can be retried as another run, but not by this one.
	if !e.Retryable || e.Code == CodePreflightFailed {
		return p.giveUp(ctx, run, e, requests)
	}
	return p.postpone(ctx, run, e, requests)
}

// postpone gives the lease back until the delay is over, or gives the run up
// if it is too old.
func (p *Processor) postpone(ctx context.Context, run Run, e *Error, requests int64) (Verdict, error) {
	if p.Clock().Sub(run.FirstClaimedAt) >= giveUpAfter {
		if len(e.Failures) > 0 {
			e = preflightError(run, e.Failures, e)
		}
		return p.giveUp(ctx, run, e, requests)
	}
	delay := p.delay(run, e)
	p.warn(ctx, run, "postponed", "code", e.Code, "delay_ms", delay.Milliseconds(), "attempt", run.Attempt)
	if err := p.Ledger.Release(ctx, run, e, requests); err != nil {
		return waitFor(delay), err
	}
	return waitFor(delay), e
}

// pauseAll lets every worker wait if GitLab told this one to, whatever becomes
// of the run.
func (p *Processor) pauseAll(ctx context.Context, run Run, fetched Fetched) {
	for _, e := range fetched.failed {
		if !pausesAll(e.Code) {
			continue
		}
		delay := p.delay(run, e)
		p.warn(ctx, run, "paused", "code", e.Code, "delay_ms", delay.Milliseconds())
		if err := p.Ledger.SetPause(ctx, p.Clock().Add(delay)); err != nil {
			p.warn(ctx, run, "pause_not_set", "error", err.Error())
		}
	}
}

// delay is GitLab's Retry-After, else it doubles with every failed attempt,
// with jitter so that what failed together does not return together.
func (p *Processor) delay(run Run, e *Error) time.Duration {
	if e.RetryAfter > 0 {
		return min(e.RetryAfter, maxRetryAfter) + p.Jitter(time.Second)
	}
	if pausesAll(e.Code) {
		return defaultPause + p.Jitter(time.Second)
	}
	delay := maxDelay
	if run.FailedAttempts < 6 {
		delay = firstDelay << run.FailedAttempts
	}
	return delay/2 + p.Jitter(delay/2)
}

// giveUp ends the run as failed, unless something was committed of it.
func (p *Processor) giveUp(ctx context.Context, run Run, e *Error, requests int64) (Verdict, error) {
	p.warn(ctx, run, "given_up", "code", e.Code, "attempt", run.Attempt)
	e.RunID = run.RunID
	return p.close(ctx, run, Closing{
		Status: StatusFailed, Error: e, Attempt: run.Attempt, Requests: requests, Previews: run.Previews,
		// Nothing was staged unless an earlier attempt got that far.
		Clean: !run.SweepPending,
	})
}

// lost ends a run over which too many workers died.
func (p *Processor) lost(ctx context.Context, run Run, msg Message) (Verdict, error) {
	p.warn(ctx, run, "lost", "lost_leases", run.deaths())
	e := NewError(CodeRunLost, "five workers ended while they held the run")
	if verdict, err := p.close(ctx, run, Closing{Status: StatusFailed, Error: e, Attempt: run.Attempt}); err != nil || !verdict.Delete {
		return verdict, err
	}
	run, err := p.Ledger.Run(ctx, run.RunID)
	if err != nil {
		return p.troubled(err)
	}
	return ended(run, msg), nil
}

// close makes the run terminal. If an attempt turns out to have committed, the
// run goes on from there.
func (p *Processor) close(ctx context.Context, run Run, closing Closing) (Verdict, error) {
	closed, err := p.Ledger.Close(ctx, run.RunID, closing)
	switch {
	case errors.Is(err, ErrMoved) && closed.Committed():
		return p.afterCommit(ctx, closed, nil)
	case errors.Is(err, ErrMoved):
		return waitFor(troubleDelay), err
	case err != nil:
		return p.troubled(err)
	}
	closed.LogClosed(ctx, p.Log)
	return done(), nil
}

// troubled is the verdict when one of Lorehook's own parts fails: nothing is
// known to have changed, so the message comes again.
func (p *Processor) troubled(err error) (Verdict, error) {
	return waitFor(troubleDelay + p.Jitter(troubleDelay)), err
}

// log writes one line for one decision.
func (p *Processor) log(ctx context.Context, run Run, decision string, args ...any) {
	p.Log.InfoContext(ctx, decision, append(run.LogFields(), args...)...)
}

// warn is log for what somebody may have to look at.
func (p *Processor) warn(ctx context.Context, run Run, decision string, args ...any) {
	p.Log.WarnContext(ctx, decision, append(run.LogFields(), args...)...)
}
