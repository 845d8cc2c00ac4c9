package crawl

import (
	"context"
	"errors"
	"time"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// start reads one page of the projects of each request for several backfills, and starts
// a pass for each project. It returns the requests whose projects are all listed, of
// those that run or failed, and steps that list the projects of the others.
func (c *Crawler) start(ctx context.Context, report *Report) (listed []surgical.BackfillRequest, unlisted []step, err error) {
	all, err := c.Ledger.BackfillRequests(ctx)
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	for _, r := range all {
		if r.Status == surgical.StatusRunning && !r.Listed && !r.DueAt.After(c.Clock()) {
			list := c.lister(&r, report)
			more, err := list(ctx)
			if errs = append(errs, unlessMoved(err)); more && err == nil {
				unlisted = append(unlisted, list)
			}
		}
		if r.Listed && (r.Status == surgical.StatusRunning || r.Status == surgical.StatusFailed) {
			listed = append(listed, r)
		}
	}
	return listed, unlisted, errors.Join(errs...)
}

// lister returns the step that reads the next page of the request's projects.
func (c *Crawler) lister(r *surgical.BackfillRequest, report *Report) step {
	return func(ctx context.Context) (more bool, err error) {
		if report.spared || !c.hasTime(ctx) {
			return false, nil
		}
		*r, err = c.listPage(ctx, *r, report)
		return err == nil && !r.Listed && r.Error == nil, err
	}
}

// conclude ends the requests whose passes have ended. One that failed succeeds once all of
// its passes have: they may have gone on by themselves, or been retried one by one.
func (c *Crawler) conclude(ctx context.Context, listed []surgical.BackfillRequest, passes []surgical.Pass) error {
	var errs []error
	for _, r := range listed {
		var wanted []surgical.Pass
		for _, p := range passes {
			if p.Kind == surgical.PassBackfill && p.Wants(r.ID) {
				wanted = append(wanted, p)
			}
		}
		next, ended := r.Conclude(wanted, c.Clock())
		if !ended || r.Status == surgical.StatusFailed && (len(wanted) == 0 || next.Status == surgical.StatusFailed) {
			continue
		}
		_, err := c.Ledger.SaveBackfillRequest(ctx, next)
		errs = append(errs, unlessMoved(err))
	}
	return errors.Join(errs...)
}

// listPage reads one page of the request's projects and starts their backfills. A crash
// before the page is stored repeats it: a backfill is started once.
func (c *Crawler) listPage(ctx context.Context, r surgical.BackfillRequest, report *Report) (surgical.BackfillRequest, error) {
	at := c.Clock()
	page, err := c.listProjects(ctx, r)
	if err != nil {
		return c.requestFailed(ctx, r, err, page.Requests, report)
	}
	next := r.WithoutFailure()
	for _, project := range page.Projects {
		next.Projects++
		if !c.Allows(project.ID) {
			next.NotAllowed++
			continue
		}
		if err := c.Ledger.NameProject(ctx, project.ID, project.Path, at); err != nil {
			return r, err
		}
		joined, err := c.startFor(ctx, r, project.ID, at)
		if err != nil {
			return r, err
		}
		if joined {
			next.Joined++
		}
	}
	if page.Unreadable > 0 {
		c.Log.WarnContext(ctx, "records_unreadable", "pass_id", r.ID, "kind", string(surgical.PassBackfill), "type", "project", "records", page.Unreadable, "cursor", r.Cursor)
		next.Unreadable += int64(page.Unreadable)
	}
	next.Requests += int64(page.Requests)
	if next.Cursor, next.Listed = page.Next, page.Next == ""; next.Listed && r.Scope.All {
		if err := c.startListed(ctx, r, at); err != nil {
			return r, err
		}
	}
	if r, err = c.Ledger.SaveBackfillRequest(ctx, next); err != nil {
		return r, err
	}
	return r, c.spare(ctx, page.RateLimit, report)
}

// startFor starts the backfill of a project that the request wants, unless this page was
// read before, and reports whether it joined one that was running.
func (c *Crawler) startFor(ctx context.Context, r surgical.BackfillRequest, projectID int64, at time.Time) (joined bool, err error) {
	id := surgical.NewPassID(projectID, surgical.PassBackfill, r.ID)
	p, err := c.Ledger.StartBackfill(ctx, surgical.NewBackfill(projectID, id, r.ID, at))
	if errors.Is(err, surgical.ErrReplaced) {
		return false, nil
	}
	return p.ID != id, err
}

// startListed starts the backfills of the projects that the allow list names and GitLab
// did not list: each of them fails with what GitLab says about it, or is copied although
// the token is not a member.
func (c *Crawler) startListed(ctx context.Context, r surgical.BackfillRequest, at time.Time) error {
	for _, id := range c.Listed {
		p, err := c.Ledger.Pass(ctx, id, surgical.PassBackfill)
		if err == nil && !p.Wants(r.ID) {
			_, err = c.startFor(ctx, r, id, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Crawler) listProjects(ctx context.Context, r surgical.BackfillRequest) (gitlab.ProjectPage, error) {
	switch {
	case r.Scope.All:
		return c.GitLab.AllProjects(ctx, r.Cursor)
	case r.Scope.Group != "":
		return c.GitLab.GroupProjects(ctx, r.Scope.Group, r.Cursor)
	}
	project, answer, err := c.GitLab.Project(ctx, r.Scope.Project)
	answer.Next = ""
	return gitlab.ProjectPage{Projects: []gitlab.Project{project}, Answer: answer}, err
}

// requestFailed records that GitLab did not list the projects: as for a pass, a failure
// that may pass delays the request, a refusal is tried three times, and any other ends it.
func (c *Crawler) requestFailed(ctx context.Context, r surgical.BackfillRequest, err error, requests int, report *Report) (surgical.BackfillRequest, error) {
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	why, now := outage.AsError(err), c.Clock()
	next := r
	next.Requests += int64(requests)
	next.Error, next.Tries = why, r.Tries+1
	if next.FailingSince.IsZero() {
		next.FailingSince = now
	}
	next.DueAt = now.Add(delay(next.Tries, why))
	again := refuses(why) && next.Tries < surgical.NotFoundTries
	if !why.Retryable && !again || now.Sub(next.FailingSince) >= surgical.GiveUpAfter {
		next.Status, next.FinishedAt = surgical.StatusFailed, now
	}
	var paused error
	if why.Code.PausesAll() {
		report.spared = true
		paused = c.Ledger.SetPause(ctx, next.DueAt, why.PauseReason())
	}
	c.Log.WarnContext(ctx, "pass_waits", "pass_id", r.ID, "kind", string(surgical.PassBackfill), "code", string(why.Code), "error", why.Error(),
		"tries", next.Tries, "delay_ms", next.DueAt.Sub(now).Milliseconds(), "status", string(next.Status))
	next, err = c.Ledger.SaveBackfillRequest(ctx, next)
	return next, errors.Join(paused, err)
}
