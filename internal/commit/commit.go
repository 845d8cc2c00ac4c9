// Package commit composes the one transaction that makes a run visible: the
// heads of its entities as the content plane builds them, the dirty sources,
// the jobs and the mark in the run row as the control plane builds them.
package commit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parallelPrepares bounds how many entities are diffed at a time.
const parallelPrepares = 8

// Committer implements [surgical.Ingester] on DynamoDB.
type Committer struct {
	db      *dynamodb.Client
	content *content.Store
	ledger  *ledger.Ledger
	clock   func() time.Time
}

// New returns a committer over the two planes.
func New(db *dynamodb.Client, content *content.Store, ledger *ledger.Ledger, clock func() time.Time) *Committer {
	return &Committer{db: db, content: content, ledger: ledger, clock: clock}
}

// plan is what one ingest is going to write.
type plan struct {
	run     surgical.Run
	changes []*content.Change
	// dirty is what each entity leaves to the documents stage; one that is
	// missing here leaves nothing.
	dirty    map[surgical.EntityRef]surgical.Scope
	outcomes map[surgical.Target]surgical.Outcome
	refetch  []surgical.EntityRef
}

// Ingest implements [surgical.Ingester].
func (c *Committer) Ingest(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot) (surgical.Ingested, error) {
	p, err := c.prepare(ctx, run, snaps)
	if err != nil {
		return surgical.Ingested{}, ingestFailed(err)
	}
	if len(p.refetch) > 0 {
		return surgical.Ingested{Refetch: p.refetch}, nil
	}
	if err := c.content.StageChildren(ctx, p.changes); err != nil {
		return surgical.Ingested{}, ingestFailed(err)
	}
	items, err := c.transaction(p)
	if err != nil {
		return surgical.Ingested{}, ingestFailed(err)
	}
	return c.outcome(ctx, p, dynamo.Transact(ctx, c.db, items))
}

// prepare diffs every snapshot against its head. A snapshot that the guard
// refuses is skipped if the head covers the run's event.
func (c *Committer) prepare(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot) (plan, error) {
	changes := make([]*content.Change, len(snaps))
	heads := make([]surgical.Head, len(snaps))
	stage := content.Stage(run.RunID, run.Attempt)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelPrepares)
	for i, snap := range snaps {
		group.Go(func() (err error) {
			changes[i], heads[i], err = c.content.Prepare(groupCtx, snap, stage)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return plan{}, err
	}
	p := plan{run: run, outcomes: make(map[surgical.Target]surgical.Outcome, len(snaps)), dirty: map[surgical.EntityRef]surgical.Scope{}}
	for i, snap := range snaps {
		switch change := changes[i]; {
		case change != nil:
			p.changes = append(p.changes, change)
			p.outcomes[snap.Ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Revision: change.Revision, Changed: change.Changed}
		case heads[i].Covers(run.EventAt):
			p.outcomes[snap.Ref.Target] = surgical.Outcome{Status: surgical.EntitySkippedStale, Revision: heads[i].Revision}
		default:
			p.refetch = append(p.refetch, snap.Ref)
		}
	}
	return p, c.scopes(ctx, &p)
}

// scopes works out what the run leaves dirty: what it changed and, in a retry,
// what the runs before it left undone, even if nothing changed since, or if
// another run's fetch was newer.
func (c *Committer) scopes(ctx context.Context, p *plan) error {
	for _, change := range p.changes {
		if change.Changed {
			p.dirty[change.Ref] = change.Scope
		}
	}
	retried, err := c.ledger.Retried(ctx, p.run)
	if err != nil || len(retried) == 0 {
		return err
	}
	for _, ref := range p.run.Refs() {
		if _, decided := p.outcomes[ref.Target]; !decided {
			continue // it is fetched again
		}
		undone, found, err := c.ledger.Undone(ctx, ref, retried)
		if err != nil {
			return err
		}
		if found {
			p.dirty[ref] = undone.Union(p.dirty[ref])
		}
	}
	return nil
}

// transaction builds the items of the commit; the run row comes first.
func (c *Committer) transaction(p plan) ([]types.TransactWriteItem, error) {
	var heads, dependents []types.TransactWriteItem
	mark := ledger.CommitMark{Outcomes: p.outcomes}
	for _, change := range p.changes {
		heads = append(heads, change.Put(c.content.Table()))
		mark.ChildrenWritten += change.ChildrenWritten
		mark.ContentWriteUnits += change.WriteUnits()
	}
	for _, ref := range p.run.Refs() {
		scope, dirty := p.dirty[ref]
		if !dirty {
			continue
		}
		items, jobs, err := c.dependents(p.run, ref, p.outcomes[ref.Target].Revision, scope)
		if err != nil {
			return nil, err
		}
		mark.JobsInserted += jobs
		dependents = append(dependents, items...)
	}
	row, err := c.ledger.CommitRun(p.run, mark, c.clock())
	if err != nil {
		return nil, err
	}
	return append(append([]types.TransactWriteItem{row}, heads...), dependents...), nil
}

// dependents are the entity's dirty source and, unless the run leaves it to
// the drain, its docs job. Bytes that must vanish do not wait for a drain.
func (c *Committer) dependents(run surgical.Run, ref surgical.EntityRef, revision int64, scope surgical.Scope) (items []types.TransactWriteItem, jobs int, err error) {
	dirty := surgical.DirtySource{
		ID: content.Stage(run.RunID, run.Attempt), Ref: ref, RunID: run.RunID,
		Revision: revision, Scope: scope, CreatedAt: c.clock(),
	}
	insert, err := c.ledger.InsertDirty(dirty)
	if err != nil {
		return nil, 0, err
	}
	items = append(items, insert)
	if run.Options.NoDocs && !scope.Hide {
		return items, 0, nil
	}
	insert, err = c.ledger.InsertJob(surgical.Job{
		RunID: run.RunID, ID: ledger.JobID(surgical.JobDocs, ref.Target), Type: surgical.JobDocs,
		Ref: ref, Scope: scope, DirtyID: dirty.ID, Status: surgical.JobPending,
	})
	return append(items, insert), 1, err
}

// outcome goes on from the run's row, whatever the transaction's answer was:
// an answer can be lost, and a refusal can come from an earlier success.
func (c *Committer) outcome(ctx context.Context, p plan, failure error) (surgical.Ingested, error) {
	row, err := c.ledger.Run(ctx, p.run.RunID)
	if err != nil {
		return surgical.Ingested{}, ingestFailed(errors.Join(err, failure))
	}
	switch {
	case row.CommittedBy == p.run.Attempt:
		return surgical.Ingested{Run: row, Cleanup: func(ctx context.Context) error {
			return c.content.ExpireSuperseded(ctx, p.changes)
		}}, nil
	case row.Committed():
		return surgical.Ingested{Run: row}, nil
	case row.Attempt != p.run.Attempt || row.Status != surgical.StatusRunning:
		return surgical.Ingested{}, surgical.ErrMoved
	case dynamo.Contended(failure):
		return surgical.Ingested{Moved: true}, nil
	case failure == nil:
		return surgical.Ingested{}, ingestFailed(fmt.Errorf("run %s is not marked as committed after its commit", row.RunID))
	}
	return surgical.Ingested{}, ingestFailed(failure)
}

// ingestFailed gives a failure its code. What DynamoDB calls invalid stays so
// however often it is sent; everything else may pass.
func ingestFailed(err error) error {
	var e *surgical.Error
	if errors.As(err, &e) {
		return err
	}
	e = surgical.WrapError(surgical.CodeIngestFailed, err, "the copy could not be written; nothing of it is visible")
	if dynamo.Invalid(err) {
		e.Retryable = false
	}
	return e
}
