package worker

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// missing decides what follows from the targets that GitLab did not have, once the
// run ends: one that has a copy is looked at again by a hide run, and so is the
// entity of an event later, because a replica may not have it yet. The heads are read
// now: one of them may have been committed since the fetch began.
func (e *Engine) missing(ctx context.Context, run surgical.Run, f fetched) (surgical.Missing, error) {
	var follows surgical.Missing
	var refs []surgical.EntityRef
	for i, ref := range f.refs {
		if why := f.failed[i]; why != nil && why.Code == surgical.CodeGitLabNotFound {
			refs = append(refs, ref)
		}
	}
	// If a hide run fails, its project is out of sight.
	if len(refs) == 0 || run.Options.PreflightOnly || run.Origin == surgical.OriginHide {
		return follows, nil
	}
	heads, err := e.Content.Heads(ctx, refs)
	if err != nil {
		return follows, err
	}
	now := e.Clock()
	for _, ref := range refs {
		if heads[ref].HasCopy() {
			follows.Hides = append(follows.Hides, run.Hiding(ref.Target, now))
		}
	}
	follows.FollowUp = run.Missing(heads[refs[0]], f.began, now)
	return follows, nil
}

// lookForProject makes a snapshot of a hide run's 404: the entity is missing if
// GitLab shows the project. If it does not, the run fails: a whole project out of
// sight says nothing about its entities.
func (e *Engine) lookForProject(ctx context.Context, run surgical.Run, f *fetched) {
	if !f.missing() || !e.projectShown(ctx, run, f) {
		return
	}
	delete(f.failed, 0)
	f.snapshots[0] = surgical.Snapshot{
		Ref: f.refs[0], Missing: true, FetchedAt: f.began.UTC().Truncate(time.Microsecond),
		FetchedUntil: e.Clock().UTC().Add(time.Microsecond - time.Nanosecond).Truncate(time.Microsecond),
	}
}

// blameProject finds out what a 403 or 404 of a pass's run is about. If GitLab does not
// show the project either, it says nothing about the entity: then the run fails because
// access was denied, so that the pass does not take the entity for one that is gone. The
// pass fetches it again once GitLab shows the project.
func (e *Engine) blameProject(ctx context.Context, run surgical.Run, f *fetched) {
	if !refused(f.failed[0]) || len(f.refs) != 1 || e.projectShown(ctx, run, f) {
		return
	}
	if f.failed[0].Code == surgical.CodeGitLabNotFound {
		f.failed[0] = surgical.NewError(surgical.CodeGitLabForbidden, "GitLab does not show the project to the token")
	}
}

// refused reports that GitLab did not show what was requested.
func refused(why *surgical.Error) bool {
	return why != nil && (why.Code == surgical.CodeGitLabNotFound || why.Code == surgical.CodeGitLabForbidden)
}

// missing reports whether GitLab does not have the run's only target.
func (f *fetched) missing() bool {
	why := f.failed[0]
	return len(f.refs) == 1 && why != nil && why.Code == surgical.CodeGitLabNotFound
}

// projectShown requests the project. If GitLab does not show it, that is the failure of
// the run's only target. It is recorded before the run ends: when GitLab shows the project
// again, a backfill fetches what failed because of this.
func (e *Engine) projectShown(ctx context.Context, run surgical.Run, f *fetched) bool {
	limited, cancel := withinPreflight(ctx)
	defer cancel()
	requests, err := e.Project(limited, run.ProjectID)
	f.requests += int64(requests)
	if err == nil {
		return true
	}
	f.failed[0] = fetchError(err)
	e.pauseIfTold(context.WithoutCancel(ctx), run, *f)
	if refused(f.failed[0]) {
		e.warn(ctx, run, "project_unseen", "code", string(f.failed[0].Code))
		if err := e.Ledger.UnseenProject(ctx, run.ProjectID, e.Clock()); err != nil {
			f.failed[0] = outage.AsError(err)
		}
	}
	return false
}
