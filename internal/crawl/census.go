package crawl

import (
	"context"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// allowance is how many runs and pages the censuses of one invocation may request, given
// all passes. While a backfill is running, they wait, and also while too many of their
// runs have not ended.
func (c *Crawler) allowance(passes []surgical.Pass) int64 {
	outstanding := int64(0)
	for _, p := range passes {
		switch {
		case !c.Allows(p.ProjectID):
		case p.Kind == surgical.PassBackfill && p.Status == surgical.StatusRunning:
			return 0
		case p.Kind == surgical.PassCensus:
			outstanding += p.Outstanding
		}
	}
	return max(0, min(surgical.MaxCensusRuns, surgical.MaxOutstanding-surgical.ListPage-outstanding))
}

// censusDue reports whether the next census of the project is to begin.
func (v *visit) censusDue() bool {
	return v.pass.Kind == surgical.PassCensus && v.pass.Status != surgical.StatusRunning && v.pass.Outstanding == 0 && v.Census > 0
}

// beginCensus stores the next census in place of the last one.
func (v *visit) beginCensus(ctx context.Context) error {
	next := surgical.NewCensus(v.pass, v.project, v.Clock())
	if !v.pass.Exists() {
		next = surgical.FirstCensus(v.pass.ProjectID, v.Census, v.Clock())
	}
	v.windows = nil
	return v.save(ctx, next, ledger.PassChange{})
}

// count does one step of a census: a page of a list, a few copies, or its end.
func (v *visit) count(ctx context.Context) error {
	before := v.pass.Outstanding
	switch {
	case v.pass.Listed():
		return v.finishCensus(ctx)
	case v.report.allowance <= 0 || before >= surgical.MaxCensusRuns:
		return nil
	case !v.project.UnseenSince.IsZero():
		return nil // every fetch would fail; a reconcile notices when GitLab shows the project again
	case v.pass.Legs[v.pass.Leg].Copies:
		return v.copies(ctx)
	}
	_, err := v.page(ctx)
	v.report.allowance -= 1 + v.pass.Outstanding - before
	return err
}

// copies looks at the next copies of the project, and requests a run for each that was
// not fetched since the census began: so everything is fetched again within the
// budget, and what the lists did not show turns out to be gone.
func (v *visit) copies(ctx context.Context) error {
	now, next := v.Clock(), v.pass.WithoutFailure()
	next.Legs = slices.Clone(next.Legs)
	leg := &next.Legs[next.Leg]
	if leg.Total < 0 {
		n, err := v.Content.CountCopies(ctx, next.ProjectID)
		if err != nil {
			return err
		}
		leg.Total = n
	}
	step, wait := next.CensusPace(leg.Total-next.Counts.Copies, v.Census, now)
	if step > v.report.allowance {
		step, wait = v.report.allowance, 0
	}
	refs, cursor, err := v.Content.Copies(ctx, next.ProjectID, next.Cursor, step)
	if err != nil {
		return err
	}
	heads, err := v.Content.Heads(ctx, refs)
	if err != nil {
		return err
	}
	var awaited []surgical.Awaited
	for _, ref := range refs {
		head := heads[ref]
		entry := surgical.Entry{Target: ref.Target, UpdatedAt: head.UpdatedAt, UserNotesCount: head.UserNotesCount}
		if next.Aged(head) && !v.awaits(entry) {
			// A run of one of the lists may have failed at this revision.
			awaited = append(awaited, next.Await(entry, head.Revision, now, 1))
		}
	}
	next.Counts.Copies += int64(len(refs))
	next.Counts.Different += int64(len(awaited))
	next.Cursor, next.DueAt = cursor, now.Add(wait)
	if cursor == "" {
		next.Leg++
		next.DueAt = now
	}
	v.report.allowance -= int64(len(awaited))
	return v.request(ctx, next, awaited, ledger.PassChange{})
}

// finishCensus ends a census whose runs have ended. What it found is recorded first: a
// crash in between repeats that.
func (v *visit) finishCensus(ctx context.Context) error {
	if v.pass.Outstanding > 0 {
		return nil
	}
	next := v.pass
	next.Status, next.FinishedAt, next.Error = surgical.StatusSucceeded, v.Clock(), nil
	next.DueAt = next.NextCensus(v.Census)
	if err := v.Ledger.CensusProject(ctx, next.ProjectID, next.Census(next.FinishedAt)); err != nil {
		return err
	}
	if err := v.save(ctx, next, ledger.PassChange{}); err != nil {
		return err
	}
	v.ended(ctx)
	return nil
}

// foundBy is what a census's run found.
func foundBy(p surgical.Pass, a surgical.Awaited, run surgical.Run) []surgical.Finding {
	switch {
	case p.Kind != surgical.PassCensus:
		return nil
	case run.Status == surgical.StatusFailed && failureOf(a, run).Code == surgical.CodeGitLabNotFound:
		return []surgical.Finding{surgical.FoundGone}
	}
	return run.Found
}
