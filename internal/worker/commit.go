package worker

import (
	"context"
	"slices"
	"time"

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
	// doubts are the lists that lack records of the copy, or comments; nil if they were not
	// compared.
	doubts surgical.Doubts
	// dirty is what each entity leaves to the docs stage; an entity that is not in
	// it leaves nothing.
	dirty map[surgical.EntityRef]surgical.Scope
	// leftOut describes what GitLab's lists had that is not a record.
	leftOut map[surgical.EntityRef][]string
	// left is what failed and cancelled runs left undone, which this run takes along.
	left     []ledger.Left
	outcomes map[surgical.Target]surgical.Outcome
	// found is what a census's run, which has one target, found.
	found []surgical.Finding
	// followUps are due for targets whose copy may not show what is known, behind
	// reports that one of those that are committed does not.
	followUps []surgical.FollowUp
	behind    bool
	// refetch names the targets that the guard refused although their head does
	// not cover the run's event.
	refetch []surgical.EntityRef
}

// plan compares every snapshot with its head and writes nothing. A snapshot that
// the guard refuses is skipped if the head covers the run's event, or if its entity was
// erased. One that lacks records of the copy without evidence fails, see [doubts].
func (e *Engine) plan(ctx context.Context, run surgical.Run, snaps []surgical.Snapshot, before Before) (plan, error) {
	changes := make([]*content.Change, len(snaps))
	heads := make([]surgical.Head, len(snaps))
	group, groupCtx := parallel.WithContext(ctx)
	group.SetLimit(parallelPrepares)
	for i, snap := range snaps {
		group.Go(func() (err error) {
			defer func() { err = e.crashedTarget(ctx, run, snap.Ref, err) }()
			defer surgical.Recover(&err)
			changes[i], heads[i], err = e.Content.Prepare(groupCtx, snap, run.AttemptID(), before.Base)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return plan{}, err
	}
	since, err := doubts(run, snaps, changes)
	if err != nil {
		return plan{doubts: since}, err
	}
	p := plan{run: run, doubts: since, outcomes: make(map[surgical.Target]surgical.Outcome, len(snaps)), dirty: map[surgical.EntityRef]surgical.Scope{}, leftOut: map[surgical.EntityRef][]string{}}
	// The row keeps all of the evidence; the decisions need what can be confirmed.
	req := run.Request
	if req.Evidence, err = e.confirmable(ctx, run, len(snaps) == 1 && snaps[0].Notes.Internal); err != nil {
		return p, err
	}
	now := e.Clock()
	for i, snap := range snaps {
		switch change := changes[i]; {
		case change != nil:
			p.changes = append(p.changes, change)
			p.leftOut[snap.Ref] = snap.LeftOut
			p.outcomes[snap.Ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Revision: change.Revision, Changed: change.Changed}
			if run.Origin == surgical.OriginCensus {
				if p.found, err = e.Content.Findings(ctx, change); err != nil {
					return p, err
				}
			}
			if !change.Scope.Empty() {
				p.dirty[change.Ref] = change.Scope
			}
			p.doubt(req, change, snap.Missing, now)
		case heads[i].Erased(): // since the run began
			p.skipErased(snap.Ref)
		case snap.Missing:
			p.skip(snap.Ref, heads[i])
			if heads[i].HasCopy() {
				p.follow(req.Unconfirmed(heads[i], now))
			}
		case !heads[i].Overlaps(snap): // it is refused for its older date
			p.skip(snap.Ref, heads[i])
			p.follow(req.Refused(heads[i], snap, now))
		case req.CoveredBy(heads[i]), run.Origin == surgical.OriginHide: // which found it, like the head's fetch
			p.skip(snap.Ref, heads[i])
		default:
			p.refetch = append(p.refetch, snap.Ref)
		}
	}
	for _, ref := range before.Erased {
		p.skipErased(ref)
	}
	return p, e.addLeft(ctx, &p, before.Left)
}

// skipErased leaves out a target that was erased.
func (p *plan) skipErased(ref surgical.EntityRef) {
	p.outcomes[ref.Target] = surgical.Outcome{Status: surgical.EntitySkippedErased}
}

// skip leaves the target to the head.
func (p *plan) skip(ref surgical.EntityRef, head surgical.Head) {
	p.outcomes[ref.Target] = surgical.Outcome{Status: surgical.EntitySkippedStale, Revision: head.Revision}
}

// doubt adds what follows from a change that is committed. A hide run contradicts an
// earlier fetch, whatever it found: either of the two may come from a replica that
// lags.
func (p *plan) doubt(req surgical.Request, change *content.Change, missing bool, now time.Time) {
	if !missing {
		next, behind := req.Doubt(change.Base, change.Next, now)
		p.behind = p.behind || behind
		if next != nil {
			p.follow(*next)
		}
	}
	if req.Origin == surgical.OriginHide {
		p.follow(req.LookAgain(change.Ref.Target, now.Add(surgical.Confirmation)))
	}
}

// follow adds a follow-up. An entity has one.
func (p *plan) follow(next surgical.FollowUp) {
	for i, f := range p.followUps {
		if f.Ref == next.Ref {
			p.followUps[i] = f.Merge(next)
			return
		}
	}
	p.followUps = append(p.followUps, next)
}

// addLeft adds what runs that failed or were cancelled left undone, even if nothing
// changed since, or if another run's fetch was newer. It is looked for where such a
// run marked the entity, and by a retry, since earlier versions set no mark. A run
// that does not do everything itself leaves it where it is, except that a retry makes
// the documents that it was asked for.
func (e *Engine) addLeft(ctx context.Context, p *plan, marked []surgical.EntityRef) error {
	if p.run.Options.NoDocs || p.run.Options.NoEmbed && p.run.RetryOf == "" {
		return nil
	}
	for _, ref := range p.run.Refs() {
		if _, decided := p.outcomes[ref.Target]; !decided {
			continue // it is fetched again
		}
		if p.run.RetryOf == "" && !slices.Contains(marked, ref) {
			continue
		}
		left, err := e.Ledger.LeftBehind(ctx, ref)
		if err != nil {
			return err
		}
		p.left = append(p.left, left.Unintended())
	}
	return nil
}

// source is the entity's dirty source: what changed, and what was left behind. ok
// reports whether there is anything.
func (p plan) source(ref surgical.EntityRef, now time.Time) (source surgical.DirtySource, ok bool) {
	scope, ok := p.dirty[ref]
	source = surgical.DirtySource{
		ID: p.run.AttemptID().String(), Ref: ref, RunID: p.run.RunID,
		Revision: p.outcomes[ref.Target].Revision, Scope: scope, CreatedAt: now,
	}
	for _, left := range p.left {
		if left.Ref == ref && len(left.Rows) > 0 {
			source, ok = source.With(left.Rows), true
		}
	}
	return source, ok
}

// transaction builds the items of the commit, the run row first so that its
// refusal is easy to tell, and what the commit writes into that row.
func (e *Engine) transaction(ctx context.Context, p plan) ([]types.TransactWriteItem, ledger.CommitMark, error) {
	var heads, dependents []types.TransactWriteItem
	mark := ledger.CommitMark{Outcomes: p.outcomes, At: e.Clock(), BehindEvent: p.behind, Found: p.found}
	for _, change := range p.changes {
		heads = append(heads, change.Put(e.Content.Table()))
		mark.ChildrenWritten += change.ChildrenWritten
		mark.ContentWriteUnits += change.WriteUnits()
	}
	for _, ref := range p.run.Refs() {
		source, dirty := p.source(ref, mark.At)
		if !dirty {
			continue
		}
		items, jobs, err := e.dependents(p.run, source, p.leftOut[ref])
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
	n := 1 + len(heads) + len(dependents)
	if n > ledger.MaxTransactItems {
		// It takes 25 targets that all changed, and all lost comments within minutes.
		return nil, mark, surgical.NewError(surgical.CodeIngestFailed, "a replica of GitLab that lags answered for too many targets at once")
	}
	taken, err := e.Ledger.TakeOver(p.left, ledger.MaxTransactItems-n)
	if err != nil {
		return nil, mark, err
	}
	row, err := e.Ledger.CommitRun(p.run, mark)
	if err != nil {
		return nil, mark, err
	}
	return slices.Concat([]types.TransactWriteItem{row}, heads, dependents, taken), mark, nil
}

// dependents are the dirty source and, unless the run leaves it to another one, its
// docs job, which begins with the warnings. Bytes that must vanish do not wait.
func (e *Engine) dependents(run surgical.Run, source surgical.DirtySource, warnings []string) (items []types.TransactWriteItem, jobs int64, err error) {
	insert, err := e.Ledger.InsertDirty(source)
	if err != nil {
		return nil, 0, err
	}
	items = append(items, insert)
	if run.Options.NoDocs && !source.Scope.Hide {
		return items, 0, nil
	}
	job := surgical.Job{
		RunID: run.RunID, ID: ledger.JobID(surgical.JobDocs, source.Ref.Target), Type: surgical.JobDocs,
		Ref: source.Ref, Scope: source.Scope, DirtyID: source.ID, Status: surgical.JobPending,
	}
	job.Warn(warnings...)
	insert, err = e.Ledger.InsertJob(job)
	return append(items, insert), 1, err
}

// expireSuperseded returns the cleanup that follows the commit.
func (p plan) expireSuperseded(store *content.Store) func(context.Context) error {
	return func(ctx context.Context) error { return store.ExpireSuperseded(ctx, p.changes) }
}
