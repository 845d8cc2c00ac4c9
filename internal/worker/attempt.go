package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// attempt claims the run and processes it to the end. covering is the id of a run
// whose fetch makes this one unnecessary, or empty. around is what was read before
// the claim.
//
// The claim gives this process the run until the lease expires. If it dies
// before the commit, another worker claims the run after that, which counts the
// death; five of them end the run as lost.
func (e *Engine) attempt(ctx context.Context, msg Message, seen surgical.Run, covering string, around sight) (verdict Verdict) {
	run, err := e.Ledger.Claim(ctx, seen, surgical.Claim{Request: seen.Request, MessageID: msg.ID, Lease: surgical.Lease})
	if err != nil {
		return e.unknown(err)
	}
	defer e.crashed(ctx, &run, &verdict)
	switch {
	case !e.Allows(run.ProjectID):
		return e.giveUp(ctx, run, surgical.NewError(surgical.CodeProjectNotAllowed, "the project is not on the allow list"), 0, surgical.Missing{})
	case covering != "":
		e.log(ctx, run, "coalesced", "covered_by", covering)
		return e.end(ctx, run, surgical.Coalesced{Attempt: run.Attempt, With: covering})
	case run.Origin == surgical.OriginDrain:
		return e.drain(ctx, run)
	}

	refs := slices.DeleteFunc(run.Refs(), func(ref surgical.EntityRef) bool { return slices.Contains(around.erased, ref) })
	fetched := e.preflight(ctx, run, refs)
	if fetched.crowded(ctx) {
		return e.crowded(ctx, run, fetched.requests)
	}
	switch {
	case run.Origin == surgical.OriginHide:
		e.lookForProject(ctx, run, &fetched)
	case run.Origin.Yields():
		e.blameProject(ctx, run, &fetched)
	}
	if run.Options.PreflightOnly {
		run.Previews = fetched.previews() // reported even if another target fails
	}
	if failure := fetched.failure(only(run, refs)); failure != nil {
		failure.Total = len(run.Targets)
		return e.failedToFetch(ctx, run, failure, fetched)
	}
	if run.Options.PreflightOnly {
		return e.end(ctx, run, surgical.Previewed{Attempt: run.Attempt, Previews: run.Previews, Requests: fetched.requests})
	}
	verdict = e.ingestUntilCommitted(ctx, run, fetched, Before{Base: around.head, Left: around.left, Erased: around.erased})
	e.namedProject(ctx, run, fetched.snapshots, around.path)
	return verdict
}

// namedProject records the project's path if the fetch shows another one than is
// known. It comes last and is tried once: no change waits for it, and the next run
// repeats it.
func (e *Engine) namedProject(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot, known string) {
	for _, snap := range snaps {
		path := snap.ProjectPath()
		if path == "" {
			continue
		}
		if path == known {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, surgical.NameProjectTimeout)
		defer cancel()
		if err := e.Ledger.NameProject(ctx, run.ProjectID, path, snap.FetchedAt); err != nil {
			e.warn(ctx, run, "project_not_named", "error", err.Error())
		}
		return
	}
}

// drain fetches nothing: it takes over dirty sources, which commits the run, and
// leaves the rest to the workflow.
func (e *Engine) drain(ctx context.Context, run surgical.Run) Verdict {
	drained, err := e.Ledger.Drain(ctx, run)
	if err != nil {
		return e.failed(ctx, run, err, 0)
	}
	return e.afterCommit(ctx, drained, func(context.Context) error { return nil }) // nothing was staged
}

// ingestUntilCommitted stages and commits what was fetched. If another commit
// comes first, another attempt tries again: with the same snapshots if only the
// revision moved, else after one more fetch.
func (e *Engine) ingestUntilCommitted(ctx context.Context, run surgical.Run, fetched fetched, before Before) (verdict Verdict) {
	defer e.crashed(ctx, &run, &verdict) // run is the newest attempt here
	snaps, requests, refetched := fetched.snapshots, fetched.requests, false
	for range surgical.MaxAttempts {
		// From here on items may be staged, so the row is marked for the orphan
		// sweeper first: a crash leaves a mark without orphans, never the reverse.
		entered, err := e.Ledger.EnterIngest(ctx, run, requests)
		if err != nil {
			return e.failed(ctx, run, err, 0)
		}
		requests = 0
		result, err := e.Ingest(ctx, entered, snaps, before)
		if errors.Is(err, errCrowded) {
			return e.crowded(ctx, afterLook(entered, err), 0)
		}
		if err != nil {
			return e.failed(ctx, entered, err, 0)
		}
		var refetch []surgical.EntityRef
		switch r := result.(type) {
		case Committed:
			return e.afterCommit(ctx, r.Run, r.ExpireSuperseded)
		case Refused:
			entered = lookedAt(entered, r.Doubts)
			if refetched {
				return e.failed(ctx, entered, surgical.NewError(surgical.CodeIngestFailed, "a newer copy that does not cover the event was committed twice"), 0)
			}
			refetch = r.Refetch
		case Moved: // the same snapshots once more
			entered = lookedAt(entered, r.Doubts)
		}
		// Another attempt has another id: what it stages shares no key with what
		// this one left behind.
		if run, err = e.Ledger.NextAttempt(ctx, entered, surgical.Lease); err != nil {
			return e.failed(ctx, entered, err, 0)
		}
		run.DoubtedSince = entered.DoubtedSince
		before.Base = nil // it has moved
		if len(refetch) > 0 {
			refetched = true
			drop(ctx, snaps, refetch)
			again := e.preflight(ctx, run, refetch)
			if again.crowded(ctx) {
				return e.crowded(ctx, run, again.requests)
			}
			if failure := again.failure(only(run, refetch)); failure != nil {
				failure.Total = len(run.Targets)
				return e.failedToFetch(ctx, run, failure, again)
			}
			requests = again.requests
			replace(snaps, again.snapshots)
		}
	}
	return e.failed(ctx, run, surgical.NewError(surgical.CodeIngestFailed, "other commits won the race too often"), 0)
}

// only restricts a run to some of its targets, for judging their failures.
func only(run surgical.Run, refs []surgical.EntityRef) surgical.Run {
	run.Targets = nil
	for _, ref := range refs {
		run.Targets = append(run.Targets, ref.Target)
	}
	return run
}

// drop forgets the snapshots that are fetched again, to make room for them.
func drop(ctx context.Context, snaps []surgical.Snapshot, refs []surgical.EntityRef) {
	for i, snap := range snaps {
		if slices.Contains(refs, snap.Ref) {
			room.From(ctx).Return(surgical.PreviewOf(snap).Bytes)
			snaps[i] = surgical.Snapshot{Ref: snap.Ref}
		}
	}
}

// replace puts newer snapshots in place of older ones of the same entity.
func replace(snaps, newer []surgical.Snapshot) {
	for _, n := range newer {
		for i := range snaps {
			if snaps[i].Ref == n.Ref {
				snaps[i] = n
			}
		}
	}
}

// Before is what was read of a run's entities before they were fetched. The zero value
// is for a run of which nothing was read.
type Before struct {
	// Base is the head of a single target; nil if it was not read, or has moved.
	Base *content.Base
	// Left are the targets of which ended runs may have left something undone.
	Left []surgical.EntityRef
	// Erased are the targets that were not fetched because they are erased.
	Erased []surgical.EntityRef
}

// Ingested is how an ingest ended without a failure. The implementations below
// are the complete list.
type Ingested interface{ ingested() }

// Committed: the run is visible.
type Committed struct {
	// Run is its row as the commit left it.
	Run surgical.Run
	// ExpireSuperseded sets the expiry of what the heads no longer name. It is nil
	// if an earlier attempt turned out to have committed.
	ExpireSuperseded func(context.Context) error
}

// Moved: a head moved while the children were staged. Doubts are what the comparison
// of the lists showed, nil if they were not compared.
type Moved struct{ Doubts surgical.Doubts }

// Refused: the guard refused these targets although their heads do not cover the
// run's event. Doubts are as in [Moved].
type Refused struct {
	Refetch []surgical.EntityRef
	Doubts  surgical.Doubts
}

func (Committed) ingested() {}
func (Moved) ingested()     {}
func (Refused) ingested()   {}

// Ingest makes all snapshots visible in one transaction, together with the run's
// dirty sources and jobs, or none of them. run is held by its attempt and has
// entered ingest. [surgical.ErrMoved] reports that another process has the run.
func (e *Engine) Ingest(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot, before Before) (Ingested, error) {
	began := e.Clock()
	result, err := e.stageAndCommit(ctx, run, snaps, before)
	// The clock is read once the answer is there: only then is the change certain
	// to be visible.
	now := e.Clock()
	took := now.Sub(began)
	c, ok := result.(Committed)
	if !ok || c.ExpireSuperseded == nil { // an earlier attempt's commit was reported by that one
		e.Meter.Ingested(took)
		return result, err
	}
	freshness := now.Sub(run.EventAt)
	e.log(ctx, c.Run, "committed", "jobs", c.Run.JobsInserted, "attempt", c.Run.CommittedBy,
		"duration_ms", took.Milliseconds(), "freshness_ms", freshness.Milliseconds())
	e.Meter.Committed(c.Run, took, freshness)
	return result, nil
}

func (e *Engine) stageAndCommit(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot, before Before) (result Ingested, err error) {
	p, err := e.plan(ctx, run, snaps, before)
	defer func() { err = withDoubts(p.doubts, err) }()
	if err != nil {
		return nil, ingestFailed(err)
	}
	if len(p.refetch) > 0 {
		return Refused{p.refetch, p.doubts}, nil
	}
	// Staged items are invisible until a head names them. A crash here leaves them
	// to the orphan sweeper.
	began := e.Clock()
	if err := e.Content.StageChildren(ctx, p.changes); err != nil {
		return nil, ingestFailed(e.unfinished(ctx, run, p.changes, began, err))
	}
	items, mark, err := e.transaction(ctx, p)
	if err != nil {
		return nil, ingestFailed(err)
	}
	failure := dynamo.Transact(ctx, e.DB, items)
	if failure == nil {
		return Committed{e.Ledger.Marked(run, mark), p.expireSuperseded(e.Content)}, nil
	}
	// The answer may have been lost, or the refusal may come from an earlier
	// success of our own: only the run row knows.
	row, err := e.Ledger.Run(ctx, run.RunID)
	if err != nil {
		return nil, ingestFailed(errors.Join(err, failure))
	}
	switch {
	case row.CommittedBy == run.Attempt:
		return Committed{row, p.expireSuperseded(e.Content)}, nil
	case row.Committed():
		return Committed{row, nil}, nil
	case row.Attempt != run.Attempt || row.Status != surgical.StatusRunning:
		return nil, surgical.ErrMoved
	case dynamo.Contended(failure):
		return Moved{p.doubts}, nil
	}
	return nil, ingestFailed(failure)
}

// ingestFailed gives a failure its code. A request that DynamoDB calls invalid
// stays invalid however often it is sent; anything else may be transient.
func ingestFailed(err error) error {
	var coded *surgical.Error
	if errors.As(err, &coded) {
		return err
	}
	coded = surgical.WrapError(surgical.CodeIngestFailed, err, "the copy could not be written; none of it is visible")
	if dynamo.Invalid(err) {
		coded.Retryable, coded.Action = false, surgical.ActionContactOperator
	}
	return coded
}

// afterCommit goes on from the run's row: it ends a run that left no job, and
// starts the workflow of any other. It can be repeated until it succeeds; a
// crash before that leaves it to the next delivery, or to the sweeper.
func (e *Engine) afterCommit(ctx context.Context, run surgical.Run, expireSuperseded func(context.Context) error) Verdict {
	// The orphan sweeper expires what a crash left superseded and what other
	// attempts staged.
	clean := expireSuperseded != nil && run.CommittedBy == 1
	if expireSuperseded != nil {
		if err := inTime(ctx, expireSuperseded); err != nil {
			clean = false
			e.warn(ctx, run, "cleanup_left_to_sweeper", "error", err.Error())
		}
	}
	if run.JobsInserted == 0 {
		return e.end(ctx, run, surgical.Succeeded{Clean: clean})
	}
	if run.Generation > 0 {
		return Done{}
	}
	if err := e.Launch(ctx, run, 1, clean); err != nil {
		return e.unknown(fmt.Errorf("launch the workflow of run %s: %w", run.RunID, err))
	}
	e.log(ctx, run, "workflow_started", "jobs", run.JobsInserted, "generation", 1)
	return Done{}
}

// inTime cleans up for as long as the worker has time left to go on with the run: one
// that is killed in the middle takes the other runs of its batch with it.
func inTime(ctx context.Context, clean func(context.Context) error) error {
	ctx, cancel := duration.Reserve(ctx, surgical.ThrottleReserve)
	defer cancel()
	return clean(ctx)
}

// end makes the run terminal. If an attempt turns out to have committed, the run
// goes on from there.
func (e *Engine) end(ctx context.Context, run surgical.Run, ending surgical.Ending) Verdict {
	closed, err := e.Ledger.Close(ctx, run, ending)
	switch {
	case errors.Is(err, surgical.ErrMoved) && closed.Committed():
		return e.afterCommit(ctx, closed, nil)
	case errors.Is(err, surgical.ErrMoved):
		return waitFor(surgical.UnknownDelay, err)
	case err != nil:
		return e.notEnded(ctx, run, ending, err)
	}
	closed.LogClosed(ctx, e.Log)
	return Done{}
}

// notEnded gives the lease of a run back whose end could not be recorded: a lease
// that just expires counts as a death of its worker. It changes nothing if the run
// has ended and only the answer was lost.
func (e *Engine) notEnded(ctx context.Context, run surgical.Run, ending surgical.Ending, cause error) Verdict {
	if !run.Committed() {
		var requests int64
		switch attempt := ending.(type) {
		case surgical.GivenUp:
			requests = attempt.Requests
		case surgical.Previewed:
			requests = attempt.Requests
		}
		if err := e.Ledger.Release(ctx, run, outage.AsError(cause), requests); err != nil && !errors.Is(err, surgical.ErrMoved) {
			cause = errors.Join(cause, err)
		}
	}
	return e.unknown(cause)
}
