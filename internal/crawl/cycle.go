package crawl

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// cycleDue reports whether the next cycle of a reconcile is to begin: once its time
// has come or it was requested, and the lists of the last one have ended.
func (v *visit) cycleDue() bool {
	p := v.pass
	if p.Kind != surgical.PassReconcile || p.Status == surgical.StatusRunning && !p.Listed() {
		return false
	}
	return p.RequestedAt.After(p.StartedAt) || !v.Clock().Before(p.StartedAt.Add(v.Interval))
}

// beginCycle ends the cycle before and stores the next one, which takes over what is
// still awaited and what still differs.
func (v *visit) beginCycle(ctx context.Context) error {
	last, now := v.pass, v.Clock()
	next := surgical.Pass{
		ProjectID: last.ProjectID, Kind: surgical.PassReconcile, Revision: last.Revision, First: !last.Exists() || last.First && len(last.Checkpoints) < len(lists()),
		ID:     surgical.NewPassID(last.ProjectID, surgical.PassReconcile, strconv.FormatInt(now.UnixMicro(), 10)),
		Status: surgical.StatusRunning, RequestedAt: last.RequestedAt, StartedAt: now, DueAt: now,
		Checkpoints: last.Checkpoints, Legs: cycleLegs(last, now),
	}
	next.GivenUp, next.MoreSince, next.ListedAt = last.GivenUp, last.MoreSince, last.ListedAt
	if next.ListedAt.IsZero() {
		next.ListedAt = now
	}
	carried, givenUp, missed, err := v.carry(ctx, next)
	if err != nil {
		return err
	}
	next = next.GiveUp(givenUp, now)
	missed += last.Counts.Missed
	if last.Exists() {
		if err := v.Ledger.ReconcileProject(ctx, last.ProjectID, reconciled(last, missed)); err != nil {
			return err
		}
	}
	next.Counts.Different = int64(len(carried))
	change := ledger.PassChange{Drop: v.windows, DropOf: last}
	v.windows = nil
	if err := v.request(ctx, next, carried, change); err != nil {
		return err
	}
	if missed > 0 {
		v.Meter.Missed(missed)
		v.log(ctx, "events_missed", "missed", missed, "cycle", last.ID)
	}
	return nil
}

// full reports whether so much is awaited that the pass cannot read another page: by it
// or, of backfills, by all of them together, because their runs share a queue.
func (v *visit) full() bool {
	if v.pass.Kind == surgical.PassBackfill {
		return v.report.outstanding+surgical.ListPage > surgical.MaxOutstanding
	}
	return v.pass.Outstanding+surgical.ListPage > surgical.MaxOutstanding || len(v.windows)+surgical.ListPage/surgical.MaxWindow > surgical.MaxWindows
}

// makeRoom lets a reconcile that is full go on: it takes out the runs that have ended,
// as the next cycle would, and fetches again what does not show what was listed. It
// reports whether another page can be read. The runs of a backfill are settled anyway.
func (v *visit) makeRoom(ctx context.Context) (more bool, err error) {
	if v.pass.Kind != surgical.PassReconcile {
		return false, nil
	}
	if shown, err := v.seen(ctx); err != nil || !shown {
		return false, err
	}
	before := map[string]bool{}
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			before[a.RunID] = true
		}
	}
	left, givenUp, missed, err := v.carry(ctx, v.pass)
	if err != nil {
		return false, err
	}
	room := len(left)+surgical.ListPage <= surgical.MaxOutstanding
	open := slices.ContainsFunc(left, func(a surgical.Awaited) bool { return before[a.RunID] })
	if !room && open {
		return false, nil // look again once more of them have ended
	}
	next, change := v.pass.GiveUp(givenUp, v.Clock()), ledger.PassChange{Drop: v.windows}
	next.Outstanding, v.windows = 0, nil
	next.Counts.Missed += missed
	return room, v.request(ctx, next, left, change)
}

// seen looks whether GitLab shows a project again that it did not show. As long as it does
// not, what a reconcile awaits stays as it is: one that is full reads no page, so nothing
// else would find out.
func (v *visit) seen(ctx context.Context) (bool, error) {
	if v.project.UnseenSince.IsZero() {
		return true, nil
	}
	requests, err := v.look(ctx)
	if err != nil {
		return false, v.failed(ctx, err, requests)
	}
	next := v.pass.WithoutFailure()
	next.Counts.AddListRequests(requests)
	return true, v.save(ctx, next, ledger.PassChange{})
}

// lists are the lists of a cycle.
func lists() []surgical.EntityType {
	return []surgical.EntityType{surgical.Issue, surgical.MergeRequest}
}

// cycleLegs are the lists of the next cycle. The first one of a project only has to
// find out what GitLab's clock says: what was there before is a backfill's. If it fails,
// the next one takes its place. If the checkpoint cannot be read, everything is listed.
// A list that failed comes last, so that it does not stop the other one, and goes on
// from what was compared.
func cycleLegs(last surgical.Pass, now time.Time) []surgical.Leg {
	var legs []surgical.Leg
	for _, typ := range lists() {
		since := last.Checkpoints[typ]
		if !last.Exists() {
			since = now.Add(-surgical.ReconcileOverlap)
		}
		for _, leg := range last.Legs {
			if since.IsZero() && last.First && leg.Type == typ {
				since = leg.Since
			}
		}
		legs = append(legs, surgical.Leg{Type: typ, Since: since})
	}
	if last.Status != surgical.StatusFailed || last.Listed() {
		return legs
	}
	failed := last.Legs[last.Leg]
	for i := range legs {
		if legs[i].Type == failed.Type {
			legs[i].Since = later(legs[i].Since, failed.Reached())
		}
	}
	slices.SortStableFunc(legs, func(a, b surgical.Leg) int {
		return cmp.Compare(position(a, failed), position(b, failed))
	})
	return legs
}

func position(leg, failed surgical.Leg) int {
	if leg.Type == failed.Type {
		return 1
	}
	return 0
}

// passed is the pass whose current list has ended. The next cycle of a reconcile lists
// from there on, whatever becomes of the other list.
func passed(p surgical.Pass) surgical.Pass {
	if p.Kind == surgical.PassReconcile {
		leg := p.Legs[p.Leg]
		next := map[surgical.EntityType]time.Time{leg.Type: leg.NextCheckpoint()}
		for typ, at := range p.Checkpoints {
			if typ != leg.Type {
				next[typ] = at
			}
		}
		p.Checkpoints = next
	}
	p.Leg++
	return p
}

// carry returns what the next cycle awaits of what the last one did, what it gives up,
// and how many of its runs changed something that no delivery had announced. A run that
// is still open is awaited on. If an entity does not show what was listed, whatever
// became of its run, it is fetched again, unless that is hopeless. As long as GitLab does
// not show the project, it is neither fetched nor given up.
func (v *visit) carry(ctx context.Context, next surgical.Pass) (carried, givenUp []surgical.Awaited, missed int64, err error) {
	if len(v.windows) == 0 {
		return nil, nil, 0, nil
	}
	runs, err := v.runs(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	heads, err := v.heads(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			run, found := runs[a.RunID]
			head := heads[v.ref(a.Target)]
			settled := a.Settled(head, v.project.HiddenAt)
			open, unseen := found && !run.Status.Terminal(), !settled && !v.project.UnseenSince.IsZero()
			if open || unseen {
				a.Unseen = a.Unseen || unseen && !open
				carried = append(carried, a)
				continue
			}
			switch {
			case settled:
			case !hopeless(a, run):
				carried = append(carried, next.Await(a.Entry, head.Revision, a.ListedAt, a.Tries+1))
			case head.Exists() || failureOf(a, run).Code != surgical.CodeGitLabNotFound: // else it is not there
				givenUp = append(givenUp, a)
			}
			unannounced, err := v.unannounced(ctx, a, run)
			if err != nil {
				return nil, nil, 0, err
			}
			if unannounced {
				missed++
			}
		}
	}
	return carried, givenUp, missed, nil
}

// hopeless reports whether it does not help to fetch the entity in every cycle: GitLab's
// answer has been final several times in a row, the last time while it showed the
// project. The census looks at it again, and so does a reconcile once the entity changes.
// Until then the project's row names it.
func hopeless(a surgical.Awaited, run surgical.Run) bool {
	f := failureOf(a, run)
	return !a.Unseen && run.Status == surgical.StatusFailed && !surgical.NewError(f.Code, "").Retryable && a.Tries+1 >= surgical.ReconcileTries
}

// unannounced reports whether the run changed something although no delivery about the
// entity arrived since.
func (v *visit) unannounced(ctx context.Context, a surgical.Awaited, run surgical.Run) (bool, error) {
	if v.pass.First || !run.Outcomes[a.Target].Changed {
		return false, nil
	}
	since := a.UpdatedAt
	if a.ListedAt.Before(since) {
		since = a.ListedAt
	}
	delivered, err := v.Ledger.Delivered(ctx, v.ref(a.Target), since.Add(-surgical.DeliverySkew))
	return !delivered, err
}

// await ends a cycle once its lists and its runs have ended.
func (v *visit) await(ctx context.Context) error {
	if v.pass.Status != surgical.StatusRunning || !v.pass.Listed() {
		return nil
	}
	runs, err := v.runs(ctx)
	if err != nil {
		return err
	}
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			if run, found := runs[a.RunID]; found && !run.Status.Terminal() {
				return nil
			}
		}
	}
	return v.finishCycle(ctx)
}

// finishCycle ends a cycle whose runs have ended. If every entity shows what was
// listed, the copy is complete as of the beginning of the lists, provided that it was
// complete before, that every record could be read, and except for what was given up.
func (v *visit) finishCycle(ctx context.Context) error {
	heads, err := v.heads(ctx)
	if err != nil {
		return err
	}
	complete := v.pass.Counts.Unreadable == 0 && v.project.Unreadable.Records == 0
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			complete = complete && a.Settled(heads[v.ref(a.Target)], v.project.HiddenAt)
		}
	}
	next := v.pass.TakeUp(heads, v.project)
	except, all := next.Except()
	next.Status, next.FinishedAt, next.Outstanding = surgical.StatusSucceeded, v.Clock(), 0
	next.DueAt = next.StartedAt.Add(v.Interval)
	if err := v.save(ctx, next, ledger.PassChange{}); err != nil {
		return err
	}
	v.report.Finished++
	if err := v.Ledger.ReconcileProject(ctx, next.ProjectID, reconciled(v.pass, 0)); err != nil {
		return err
	}
	if complete && all && !v.project.CompleteSince.IsZero() {
		return v.Ledger.CompleteProject(ctx, next.ProjectID, began(next), v.project.CompleteSince, except...)
	}
	return nil
}

// began is the earliest time, by GitLab's clock, at which a list of the pass began
// that shows the latest changes.
func began(p surgical.Pass) time.Time {
	var first time.Time
	for _, leg := range p.Legs {
		if leg.Type == "" || leg.Since.IsZero() && p.Kind == surgical.PassBackfill {
			continue
		}
		if first.IsZero() || leg.Began.Before(first) {
			first = leg.Began
		}
	}
	return first
}

// reconciled is what the project's row says of a cycle.
func reconciled(p surgical.Pass, missed int64) surgical.Reconciled {
	return surgical.Reconciled{
		Cycle: p.ID, BeganAt: p.StartedAt, EndedAt: p.FinishedAt,
		Listed: p.Counts.Listed, Different: p.Counts.Different, Missed: missed, Requests: p.Counts.ListRequests,
	}
}
