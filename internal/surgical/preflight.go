package surgical

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Fetcher fetches one entity whole: every endpoint, every page. Its errors
// carry a code of the gitlab_ kind.
type Fetcher interface {
	Fetch(ctx context.Context, ref EntityRef) (Snapshot, error)
}

// parallelFetches bounds how many targets of one run are fetched at a time;
// each takes at least five requests at once.
const parallelFetches = 4

// Fetched is what a preflight brought: a snapshot or an error for each target,
// in the order of the targets.
type Fetched struct {
	Snapshots []Snapshot
	failed    map[int]*Error
	Requests  int64
}

// preflight fetches the targets. It writes nothing, and it goes on after a
// failed target, so that all failures are known at once.
func preflight(ctx context.Context, fetcher Fetcher, refs []EntityRef) Fetched {
	f := Fetched{Snapshots: make([]Snapshot, len(refs)), failed: map[int]*Error{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelFetches)
	for i, ref := range refs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			snap, err := fetcher.Fetch(ctx, ref)
			mu.Lock()
			defer mu.Unlock()
			f.Requests += int64(snap.Requests)
			f.Snapshots[i] = snap
			if err != nil {
				f.failed[i] = asFetchError(err)
			}
		})
	}
	wg.Wait()
	return f
}

// asFetchError gives a fetch that ran into the attempt's own end its code.
func asFetchError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return WrapError(CodeGitLabTimeout, err, "the fetch did not end within the attempt")
	}
	return AsError(err)
}

// previews describe what was fetched.
func (f Fetched) previews() map[Target]Preview {
	previews := make(map[Target]Preview, len(f.Snapshots))
	for i, snap := range f.Snapshots {
		if f.failed[i] == nil {
			previews[snap.Ref.Target] = PreviewOf(snap)
		}
	}
	return previews
}

// notFoundTries is how often a webhook's entity must be missing before that
// counts: the event may be ahead of the replica that answers.
const notFoundTries = 3

// fail judges the failures of a preflight as one error of the run, which names
// every target that failed: permanent if any of them can never succeed, else
// transient. It returns nil if nothing failed.
func (f Fetched) fail(run Run) *Error {
	if len(f.failed) == 0 {
		return nil
	}
	var failures []TargetFailure
	permanent := false
	var wait time.Duration
	var worst *Error
	for i, target := range run.Targets {
		e := f.failed[i]
		if e == nil {
			continue
		}
		failures = append(failures, TargetFailure{Target: target, Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable})
		permanent = permanent || !e.Retryable && !mayAppear(run, e)
		wait = max(wait, e.RetryAfter)
		if worst == nil || pausesAll(e.Code) {
			worst = e
		}
	}
	if permanent {
		return preflightError(run, failures, nil)
	}
	e := WrapError(worst.Code, worst, worst.Message)
	e.Retryable, e.RetryAfter = true, wait // also a 404 that may yet appear
	e.RunID, e.Total, e.Failures = run.RunID, len(run.Targets), failures
	return e
}

// preflightError is the error that a run ends with.
func preflightError(run Run, failures []TargetFailure, cause error) *Error {
	e := WrapError(CodePreflightFailed, cause, "not every target could be fetched; nothing was written")
	e.RunID, e.Total, e.Failures = run.RunID, len(run.Targets), slices.Clone(failures)
	return e
}

// mayAppear reports whether a missing entity should be asked for again.
func mayAppear(run Run, e *Error) bool {
	return e.Code == CodeGitLabNotFound && run.Origin == OriginWebhook && run.NotFound+1 < notFoundTries
}

// pausesAll reports whether every worker has to wait: the budget is spent, or
// the token is refused.
func pausesAll(code Code) bool {
	return code == CodeGitLabRateLimited || code == CodeGitLabUnauthorized
}
