package worker

import (
	"context"
	"errors"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// failed ends an attempt that holds the run: it gives the run up or postpones it.
// requests is how many requests to GitLab the row does not count yet.
func (e *Engine) failed(ctx context.Context, run surgical.Run, cause error, requests int64) Verdict {
	if errors.Is(cause, surgical.ErrMoved) {
		// Another process has the run, or it was cancelled: the next delivery will
		// see.
		return waitFor(surgical.UnknownDelay, cause)
	}
	why := surgical.AsError(cause)
	// A failed preflight can be retried as another run, but not by this one.
	if !why.Retryable || why.Code == surgical.CodePreflightFailed {
		return e.giveUp(ctx, run, why, requests)
	}
	return e.postpone(ctx, run, why, requests)
}

// postpone gives the lease back until the delay is over, or gives the run up if
// it is too old.
func (e *Engine) postpone(ctx context.Context, run surgical.Run, why *surgical.Error, requests int64) Verdict {
	if e.Clock().Sub(run.FirstClaimedAt) >= surgical.GiveUpAfter {
		if len(why.Failures) > 0 {
			why = preflightFailed(run, why.Failures, why)
		}
		return e.giveUp(ctx, run, why, requests)
	}
	delay := e.delay(run, why)
	e.warn(ctx, run, "postponed", "code", why.Code, "delay_ms", delay.Milliseconds(), "attempt", run.Attempt)
	if err := e.Ledger.Release(ctx, run, why, requests); err != nil {
		return waitFor(delay, err)
	}
	return waitFor(delay, why)
}

// pauseIfTold makes every worker wait if GitLab told this one to, whatever
// happens to the run.
func (e *Engine) pauseIfTold(ctx context.Context, run surgical.Run, f fetched) {
	for _, why := range f.failed {
		if !pausesAll(why.Code) {
			continue
		}
		delay := e.delay(run, why)
		e.warn(ctx, run, "paused", "code", why.Code, "delay_ms", delay.Milliseconds())
		if err := e.Ledger.SetPause(ctx, e.Clock().Add(delay)); err != nil {
			e.warn(ctx, run, "pause_not_set", "error", err.Error())
		}
	}
}

// delay is GitLab's Retry-After if there is one. Otherwise it doubles with every
// failed attempt, with jitter so that what failed together does not return
// together.
func (e *Engine) delay(run surgical.Run, why *surgical.Error) time.Duration {
	if why.RetryAfter > 0 {
		return min(why.RetryAfter, surgical.MaxRetryAfter) + e.Jitter(time.Second)
	}
	if pausesAll(why.Code) {
		return surgical.DefaultPause + e.Jitter(time.Second)
	}
	delay := surgical.MaxDelay
	if run.FailedAttempts < 6 {
		delay = surgical.FirstDelay << run.FailedAttempts
	}
	return delay/2 + e.Jitter(delay/2)
}

// giveUp ends the run as failed, unless one of its attempts committed.
func (e *Engine) giveUp(ctx context.Context, run surgical.Run, why *surgical.Error, requests int64) Verdict {
	e.warn(ctx, run, "given_up", "code", why.Code, "attempt", run.Attempt)
	why.RunID = run.RunID
	return e.end(ctx, run, surgical.GivenUp{Attempt: run.Attempt, Error: why, Previews: run.Previews, Requests: requests})
}

// unknown is the verdict if one of Lorehook's own parts fails: nothing is known
// to have changed, so the message comes again.
func (e *Engine) unknown(err error) Verdict {
	return waitFor(surgical.UnknownDelay+e.Jitter(surgical.UnknownDelay), err)
}

// log writes one line for one decision.
func (e *Engine) log(ctx context.Context, run surgical.Run, decision string, args ...any) {
	e.Log.InfoContext(ctx, decision, append(run.LogFields(), args...)...)
}

// warn logs what may need an operator's attention.
func (e *Engine) warn(ctx context.Context, run surgical.Run, decision string, args ...any) {
	e.Log.WarnContext(ctx, decision, append(run.LogFields(), args...)...)
}
