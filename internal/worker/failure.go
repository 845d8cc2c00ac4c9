package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// failed ends an attempt that holds the run: it gives the run up or postpones it.
// requests is how many requests to GitLab the row does not count yet.
func (e *Engine) failed(ctx context.Context, run surgical.Run, cause error, requests int64) Verdict {
	return e.failedWith(ctx, run, cause, requests, surgical.Missing{})
}

// failedToFetch is failed for a preflight.
func (e *Engine) failedToFetch(ctx context.Context, run surgical.Run, failure *surgical.Error, f fetched) Verdict {
	missing, err := e.missing(ctx, run, f)
	if err != nil {
		return e.failed(ctx, run, ingestFailed(err), f.requests)
	}
	return e.failedWith(ctx, run, failure, f.requests, missing)
}

// failedWith is failed with what follows from missing targets if the run ends.
func (e *Engine) failedWith(ctx context.Context, run surgical.Run, cause error, requests int64, missing surgical.Missing) Verdict {
	if errors.Is(cause, surgical.ErrMoved) {
		// Another process has the run, or it was cancelled: the next delivery will
		// see.
		return waitFor(surgical.UnknownDelay, cause)
	}
	run = afterLook(run, cause)
	if errors.Is(cause, errUnfinished) {
		run.Unfinished++
	}
	why := outage.AsError(cause)
	// A failed preflight can be retried as another run, but not by this one.
	if !why.Retryable || why.Code == surgical.CodePreflightFailed {
		return e.giveUp(ctx, run, why, requests, missing)
	}
	return e.postpone(ctx, run, why, requests, missing)
}

// postpone gives the lease back until the delay is over, or gives the run up if
// it is too old.
func (e *Engine) postpone(ctx context.Context, run surgical.Run, why *surgical.Error, requests int64, missing surgical.Missing) Verdict {
	if e.tooOld(run) {
		if len(why.Failures) > 0 {
			why = preflightFailed(run, why.Failures, why)
		}
		return e.giveUp(ctx, run, why, requests, missing)
	}
	delay := e.delay(run, why)
	e.warn(ctx, run, "postponed", "code", why.Code, "delay_ms", delay.Milliseconds(), "attempt", run.Attempt, "error", causes(why))
	if err := e.Ledger.Release(ctx, run, why, requests); err != nil {
		return waitFor(delay, err)
	}
	return waitFor(delay, why)
}

// tooOld reports whether the time to give up has come for a run whose attempt
// failed.
func (e *Engine) tooOld(run surgical.Run) bool {
	return e.Clock().Sub(run.FirstClaimedAt) >= surgical.GiveUpAfter
}

// crowded gives the lease back, so that the run is processed in isolation: now if
// there is time left, else at the next delivery, and before it fetches anything.
func (e *Engine) crowded(ctx context.Context, run surgical.Run, requests int64) Verdict {
	why := surgical.NewError(surgical.CodeEntityTooLarge, "too large to be processed beside other runs; it is processed again without them")
	why.Action, why.Retryable = surgical.ActionRetryAfter, true
	if e.tooOld(run) {
		why.Action, why.Message = surgical.ActionRetryFailed, "too large to be processed beside other runs"
		return e.giveUp(ctx, run, why, requests, surgical.Missing{})
	}
	run.Crowded = true
	e.warn(ctx, run, "crowded", "attempt", run.Attempt)
	if err := e.Ledger.Release(ctx, run, why, requests); err != nil {
		return waitFor(surgical.UnknownDelay, err)
	}
	return Isolate{}
}

// pauseIfTold makes every worker wait if GitLab told this one to, whatever
// happens to the run.
func (e *Engine) pauseIfTold(ctx context.Context, run surgical.Run, f fetched) {
	for _, why := range f.failed {
		if !why.Code.PausesAll() {
			continue
		}
		delay := e.delay(run, why)
		e.warn(ctx, run, "paused", "code", why.Code, "delay_ms", delay.Milliseconds())
		if err := e.Ledger.SetPause(ctx, e.Clock().Add(delay), why.PauseReason()); err != nil {
			e.warn(ctx, run, "pause_not_set", "error", err.Error())
		}
	}
}

// spareIfLow makes passes wait once the rest of GitLab's budget is no more than what is
// reserved for webhooks.
func (e *Engine) spareIfLow(ctx context.Context, run surgical.Run, f fetched) {
	now := e.Clock()
	var last time.Time
	for _, snap := range f.snapshots {
		if until, ok := snap.RateLimit.Spare(now); ok && until.After(last) {
			last = until
		}
	}
	if last.IsZero() {
		return
	}
	if err := e.Ledger.SetSpare(ctx, last); err != nil {
		e.warn(ctx, run, "pause_not_set", "error", err.Error())
	}
}

// delay is GitLab's Retry-After if there is one. Otherwise it doubles with every
// failed attempt, with jitter so that what failed together does not return
// together.
func (e *Engine) delay(run surgical.Run, why *surgical.Error) time.Duration {
	if why.RetryAfter > 0 {
		return min(why.RetryAfter, surgical.MaxRetryAfter) + e.Jitter(time.Second)
	}
	if why.Code.PausesAll() {
		return surgical.DefaultPause + e.Jitter(time.Second)
	}
	delay := surgical.MaxDelay
	if run.FailedAttempts < 6 {
		delay = surgical.FirstDelay << run.FailedAttempts
	}
	return delay/2 + e.Jitter(delay/2)
}

// giveUp ends the run as failed, unless one of its attempts committed.
func (e *Engine) giveUp(ctx context.Context, run surgical.Run, why *surgical.Error, requests int64, missing surgical.Missing) Verdict {
	e.warn(ctx, run, "given_up", "code", why.Code, "attempt", run.Attempt, "error", causes(why))
	why.RunID = run.RunID
	return e.end(ctx, run, surgical.GivenUp{Attempt: run.Attempt, Error: why, Missing: missing, Previews: run.Previews, Requests: requests})
}

// causes describes a failure for the log: every target that failed and why, or
// else the failure with its cause.
func causes(why *surgical.Error) string {
	if len(why.Failures) == 0 {
		return why.Error()
	}
	texts := make([]string, len(why.Failures))
	for i, f := range why.Failures {
		texts[i] = string(f.Code) + ": " + f.Message
	}
	return strings.Join(texts, "; ")
}

// unknown is the verdict if one of Lorehook's own parts fails: nothing is known
// to have changed, so the message comes again. One about which DynamoDB is sent
// what it calls invalid would come again for days, and is moved away instead.
func (e *Engine) unknown(err error) Verdict {
	if dynamo.Invalid(err) {
		e.Log.Error("invalid_request", "error", err.Error())
		return DeadLetter{}
	}
	return waitFor(surgical.UnknownDelay+e.Jitter(surgical.UnknownDelay), err)
}

// crashedTarget logs a panic that was recovered, and returns it as the failure of
// the target. It returns any other error as it is.
func (e *Engine) crashedTarget(ctx context.Context, run surgical.Run, ref surgical.EntityRef, err error) error {
	var p *surgical.Panic
	if !errors.As(err, &p) {
		return err
	}
	e.logPanic(ctx, run, ref, p)
	why := surgical.PanicFailure(p)
	why.Total = len(run.Targets)
	why.Failures = []surgical.TargetFailure{{Target: ref.Target, Code: why.Code, Message: why.Message, Action: why.Action, Retryable: why.Retryable}}
	return why
}

// logPanic logs the panic that one target's fetch or ingest ended with.
func (e *Engine) logPanic(ctx context.Context, run surgical.Run, ref surgical.EntityRef, p *surgical.Panic) {
	logs.Panic(ctx, e.Log, p, "run_id", run.RunID, "project_id", ref.ProjectID, "type", string(ref.Type), "iid", ref.IID, "attempt", run.Attempt)
}

// crashed must be deferred. If this attempt panics, it ends the run permanently,
// instead of the process with all other runs in it: the same input would panic
// again.
func (e *Engine) crashed(ctx context.Context, run *surgical.Run, verdict *Verdict) {
	value := recover()
	if value == nil {
		return
	}
	p := surgical.PanicOf(value)
	logs.Panic(ctx, e.Log, p, run.LogFields()...)
	*verdict = e.giveUp(context.WithoutCancel(ctx), *run, surgical.PanicFailure(p), 0, surgical.Missing{})
}

// log writes one line for one decision.
func (e *Engine) log(ctx context.Context, run surgical.Run, decision string, args ...any) {
	e.Log.InfoContext(ctx, decision, append(run.LogFields(), args...)...)
}

// warn logs what may need an operator's attention.
func (e *Engine) warn(ctx context.Context, run surgical.Run, decision string, args ...any) {
	e.Log.WarnContext(ctx, decision, append(run.LogFields(), args...)...)
}
