package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// fetched is what a preflight brought: a snapshot or an error for each target,
// in the order of the targets.
type fetched struct {
	refs      []surgical.EntityRef
	snapshots []surgical.Snapshot
	failed    map[int]*surgical.Error
	requests  int64
	// began is when the first fetch began, or earlier.
	began time.Time
}

// preflight fetches the targets, within the time that leaves room for the
// commit. It writes no content, and it goes on after a failed target, so that
// all failures are known at once.
func (e *Engine) preflight(ctx context.Context, run surgical.Run, refs []surgical.EntityRef) fetched {
	limited, cancel := withinPreflight(ctx)
	defer cancel()
	began := e.Clock()
	f := e.fetchAll(limited, refs)
	f.began = began
	took := e.Clock().Sub(began)
	f.endHopeless(ctx, run, took)
	e.log(ctx, run, "preflight", "targets", len(refs), "attempt", run.Attempt, "duration_ms", took.Milliseconds())
	e.Meter.Preflighted(took)
	for i, ref := range refs {
		var p *surgical.Panic
		if why := f.failed[i]; why != nil && errors.As(why, &p) {
			e.logPanic(ctx, run, ref, p)
		}
	}
	e.pauseIfTold(context.WithoutCancel(ctx), run, f)
	e.spareIfLow(context.WithoutCancel(ctx), run, f)
	return f
}

// withinPreflight returns a context that leaves room for the commit.
func withinPreflight(ctx context.Context) (context.Context, context.CancelFunc) {
	return duration.Reserve(ctx, surgical.IngestReserve)
}

func (e *Engine) fetchAll(ctx context.Context, refs []surgical.EntityRef) fetched {
	f := fetched{refs: refs, snapshots: make([]surgical.Snapshot, len(refs)), failed: map[int]*surgical.Error{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, surgical.ParallelFetches)
	for i, ref := range refs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			snap, err := e.fetch(ctx, ref)
			mu.Lock()
			defer mu.Unlock()
			f.requests += int64(snap.Requests)
			f.snapshots[i] = snap
			if err != nil {
				f.failed[i] = fetchError(err)
			}
		})
	}
	wg.Wait()
	return f
}

// fetch fetches one entity; a panic fails this entity only.
func (e *Engine) fetch(ctx context.Context, ref surgical.EntityRef) (snap surgical.Snapshot, err error) {
	defer surgical.Recover(&err)
	return e.Fetch(ctx, ref)
}

// fetchError returns the error of a fetch, with a code of its own if the attempt's
// deadline ended it.
func fetchError(err error) *surgical.Error {
	var e *surgical.Error
	if !errors.As(err, &e) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return surgical.WrapError(surgical.CodeGitLabTimeout, err, "the fetch did not end within the attempt")
	}
	return surgical.AsError(err)
}

// crowded reports that a target failed only because other runs of this process
// hold so much, or send so many requests, and that the run is worth repeating
// in isolation.
func (f fetched) crowded(ctx context.Context) bool {
	if room.From(ctx).Sole() {
		return false
	}
	for _, why := range f.failed {
		if errors.Is(why, surgical.ErrNoRoom) || errors.Is(why, surgical.ErrNoTime) {
			return true
		}
	}
	return false
}

// endHopeless marks the failures of targets that take more requests than a worker may
// send in all its time with [errUnfinished], and makes them permanent if that has
// happened several times: a slow GitLab looks the same once.
func (f fetched) endHopeless(ctx context.Context, run surgical.Run, took time.Duration) {
	if !room.From(ctx).Sole() || took < surgical.PreflightTime || f.requests < pagedRequests {
		return
	}
	for i, why := range f.failed {
		switch {
		case !errors.Is(why, surgical.ErrNoTime):
		case lastUnfinished(run):
			f.failed[i] = surgical.RunTooLong(len(f.snapshots), f.requests)
		default:
			f.failed[i] = surgical.WrapError(why.Code, errors.Join(errUnfinished, why), why.Message)
		}
	}
}

// pagedRequests is how many requests show that the time went into them, and not
// into waiting for GitLab.
const pagedRequests = 50

// previews describe what was fetched.
func (f fetched) previews() map[surgical.Target]surgical.Preview {
	previews := make(map[surgical.Target]surgical.Preview, len(f.snapshots))
	for i, snap := range f.snapshots {
		if f.failed[i] == nil {
			previews[snap.Ref.Target] = surgical.PreviewOf(snap)
		}
	}
	return previews
}

// failure combines the failures of a preflight into one error of the run, which
// names every target that failed: permanent if any of them can never succeed,
// else transient. It is nil if nothing failed.
func (f fetched) failure(run surgical.Run) *surgical.Error {
	if len(f.failed) == 0 {
		return nil
	}
	var failures []surgical.TargetFailure
	permanent := false
	var wait time.Duration
	var worst *surgical.Error
	for i, target := range run.Targets {
		e := f.failed[i]
		if e == nil {
			continue
		}
		failures = append(failures, surgical.TargetFailure{Target: target, Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable})
		permanent = permanent || !e.Retryable && !mayAppear(run, e)
		wait = max(wait, e.RetryAfter)
		if worst == nil || e.Code.PausesAll() {
			worst = e
		}
	}
	if permanent {
		return preflightFailed(run, failures, nil)
	}
	e := surgical.WrapError(worst.Code, errors.Unwrap(worst), worst.Message)
	e.Retryable, e.RetryAfter = true, wait // including a 404 that may yet appear
	e.RunID, e.Total, e.Failures = run.RunID, len(run.Targets), failures
	return e
}

// preflightFailed is the error that a run ends with. Its advice is that of the
// failures, unless there are targets that nothing but these failures kept from being
// fetched: a retry helps those.
func preflightFailed(run surgical.Run, failures []surgical.TargetFailure, cause error) *surgical.Error {
	e := surgical.WrapError(surgical.CodePreflightFailed, cause, "not every target could be fetched; nothing was written")
	e.RunID = run.RunID
	advised := e.With(len(run.Targets), slices.Clone(failures))
	if len(failures) < len(run.Targets) {
		advised.Action, advised.Retryable = e.Action, e.Retryable
	}
	return advised
}

// mayAppear reports whether a missing entity should be fetched again.
func mayAppear(run surgical.Run, e *surgical.Error) bool {
	return e.Code == surgical.CodeGitLabNotFound && run.Origin == surgical.OriginWebhook && run.NotFound+1 < surgical.NotFoundTries
}
