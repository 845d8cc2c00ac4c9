package worker

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parallelPrepares bounds how many entities are compared with their heads at a
// time.
const parallelPrepares = 8

// plan is what one ingest is going to write.
type plan struct {
	run     surgical.Run
	changes []*content.Change
	// dirty is what each entity leaves to the docs stage; an entity that is not in
	// it leaves nothing.
	dirty    map[surgical.EntityRef]surgical.Scope
	outcomes map[surgical.Target]surgical.Outcome
	// followUps are due for targets whose copy may not show what is known, behind
	// reports that one of those that are committed does not.
	followUps []surgical.FollowUp
	behind    bool
	// refetch names the targets that the guard refused although their head does
	// not cover the run's event.
	refetch []surgical.EntityRef
}

// plan compares every snapshot with its head and writes nothing. A snapshot that
// the guard refuses is skipped if the head covers the run's event. One that lacks
// records of the copy without evidence fails, see [doubted]. base is a head that
// was read before the fetch, or nil.
func (e *Engine) plan(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot, base *content.Base) (plan, error) {
	changes := make([]*content.Change, len(snaps))
	heads := make([]surgical.Head, len(snaps))
	group, groupCtx := parallel.WithContext(ctx)
	group.SetLimit(parallelPrepares)
	for i, snap := range snaps {
		group.Go(func() (err error) {
			defer func() { err = e.crashedTarget(ctx, run, snap.Ref, err) }()
			defer surgical.Recover(&err)
			changes[i], heads[i], err = e.Content.Prepare(groupCtx, snap, run.AttemptID(), base)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return plan{}, err
	}
	if err := doubted(run, snaps, changes); err != nil {
		return plan{}, err
	}
	p := plan{run: run, outcomes: make(map[surgical.Target]surgical.Outcome, len(snaps)), dirty: map[surgical.EntityRef]surgical.Scope{}}
	// The row keeps all of the evidence; the decisions need what can be confirmed.
	req := run.Request
	var err error
	if req.Evidence, err = e.confirmable(ctx, run, len(snaps) == 1 && snaps[0].Notes().Internal); err != nil {
		return plan{}, err
	}
	now := e.Clock()
	for i, snap := range snaps {
		switch change := changes[i]; {
		case change != nil:
			p.changes = append(p.changes, change)
			p.outcomes[snap.Ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Revision: change.Revision, Changed: change.Changed}
			if !change.Scope.Empty() {
				p.dirty[change.Ref] = change.Scope
			}
			next, behind := req.Doubt(change.Base, change.Next, now)
			p.behind = p.behind || behind
			if next != nil {
				p.followUps = append(p.followUps, *next)
			}
		case !heads[i].Overlaps(snap): // it is refused for its older date
			p.outcomes[snap.Ref.Target] = surgical.Outcome{Status: surgical.EntitySkippedStale, Revision: heads[i].Revision}
			p.followUps = append(p.followUps, req.Refused(heads[i], snap, now))
		case req.CoveredBy(heads[i]):
			p.outcomes[snap.Ref.Target] = surgical.Outcome{Status: surgical.EntitySkippedStale, Revision: heads[i].Revision}
		default:
			p.refetch = append(p.refetch, snap.Ref)
		}
	}
	return p, e.addUndone(ctx, &p)
}

// addUndone adds what the runs that this one retries left undone, even if
// nothing changed since, or if another run's fetch was newer.
func (e *Engine) addUndone(ctx context.Context, p *plan) error {
	retried, err := e.Ledger.Retried(ctx, p.run)
	if err != nil || len(retried) == 0 {
		return err
	}
	for _, ref := range p.run.Refs() {
		if _, decided := p.outcomes[ref.Target]; !decided {
			continue // it is fetched again
		}
		undone, found, err := e.Ledger.Undone(ctx, ref, retried)
		if err != nil {
			return err
		}
		if found {
			p.dirty[ref] = undone.Union(p.dirty[ref])
		}
	}
	return nil
}

// transaction builds the items of the commit, the run row first so that its
// refusal is easy to tell, and what the commit writes into that row.
func (e *Engine) transaction(ctx context.Context, p plan) ([]types.TransactWriteItem, ledger.CommitMark, error) {
	var heads, dependents []types.TransactWriteItem
	mark := ledger.CommitMark{Outcomes: p.outcomes, At: e.Clock(), BehindEvent: p.behind}
	for _, change := range p.changes {
		heads = append(heads, change.Put(e.Content.Table()))
		mark.ChildrenWritten += change.ChildrenWritten
		mark.ContentWriteUnits += change.WriteUnits()
	}
	for _, ref := range p.run.Refs() {
		scope, dirty := p.dirty[ref]
		if !dirty {
			continue
		}
		items, jobs, err := e.dependents(p.run, ref, p.outcomes[ref.Target].Revision, scope)
		if err != nil {
			return nil, mark, err
		}
		mark.JobsInserted += jobs
		dependents = append(dependents, items...)
	}
	for _, next := range p.followUps {
		add, err := e.Ledger.AddFollowUp(ctx, p.run.AttemptID(), next)
		if err != nil {
			return nil, mark, err
		}
		dependents = append(dependents, add)
	}
	if n := 1 + len(heads) + len(dependents); n > ledger.MaxTransactItems {
		// It takes 25 targets that all changed, and all lost comments within minutes.
		return nil, mark, surgical.NewError(surgical.CodeIngestFailed, "a replica of GitLab that lags answered for too many targets at once")
	}
	row, err := e.Ledger.CommitRun(p.run, mark)
	if err != nil {
		return nil, mark, err
	}
	return append(append([]types.TransactWriteItem{row}, heads...), dependents...), mark, nil
}

// dependents are the entity's dirty source and, unless the run leaves it to a
// drain, its docs job. Bytes that must vanish do not wait for a drain.
func (e *Engine) dependents(run surgical.Run, ref surgical.EntityRef, revision int64, scope surgical.Scope) (items []types.TransactWriteItem, jobs int64, err error) {
	dirty := surgical.DirtySource{
		ID: run.AttemptID().String(), Ref: ref, RunID: run.RunID,
		Revision: revision, Scope: scope, CreatedAt: e.Clock(),
	}
	insert, err := e.Ledger.InsertDirty(dirty)
	if err != nil {
		return nil, 0, err
	}
	items = append(items, insert)
	if run.Options.NoDocs && !scope.Hide {
		return items, 0, nil
	}
	insert, err = e.Ledger.InsertJob(surgical.Job{
		RunID: run.RunID, ID: ledger.JobID(surgical.JobDocs, ref.Target), Type: surgical.JobDocs,
		Ref: ref, Scope: scope, DirtyID: dirty.ID, Status: surgical.JobPending,
	})
	return append(items, insert), 1, err
}

// expireSuperseded returns the cleanup that follows the commit.
func (p plan) expireSuperseded(store *content.Store) func(context.Context) error {
	return func(ctx context.Context) error { return store.ExpireSuperseded(ctx, p.changes) }
}
