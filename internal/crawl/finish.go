package crawl

import (
	"context"
	"errors"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// judgedFailures is how many failed entities of a backfill decide what is to be done about
// it. If there are more, a retry is worth it.
const judgedFailures = 100

// finish ends a pass whose lists have ended, once all of its runs have. Entities that
// failed, and records that name none, make a backfill fail, but only at its end. What a
// complete one says of the project is recorded first: a crash in between repeats that.
func (v *visit) finish(ctx context.Context) error {
	if v.pass.Kind == surgical.PassReconcile {
		return v.await(ctx)
	}
	if v.pass.Outstanding > 0 {
		return nil
	}
	next := v.pass
	next.Status, next.FinishedAt, next.Error = surgical.StatusSucceeded, v.Clock(), nil
	var failures []surgical.PassFailure
	if next.Counts.Failed > 0 {
		var err error
		if failures, err = v.Ledger.PassFailures(ctx, v.pass, judgedFailures); err != nil {
			return err
		}
	}
	if next.Error = surgical.Incomplete(next.Counts, failures); next.Error != nil {
		next.Status = surgical.StatusFailed
	} else if err := v.complete(ctx); err != nil {
		return err
	}
	if err := v.save(ctx, next, ledger.PassChange{}); err != nil {
		return err
	}
	v.ended(ctx)
	return nil
}

// complete records what a backfill that brought everything up to date says of its project.
func (v *visit) complete(ctx context.Context) error {
	p := v.pass
	counts := surgical.ProjectCounts{At: p.StartedAt}
	for _, leg := range p.Legs {
		switch {
		case leg.CatchUp || leg.Total < 0:
		case leg.Type == surgical.Issue:
			counts.Issues = leg.Total
		case leg.Type == surgical.MergeRequest:
			counts.MergeRequests = leg.Total
		}
	}
	if err := v.Ledger.CountProject(ctx, p.ProjectID, counts); err != nil {
		return err
	}
	if err := v.Ledger.CompleteProject(ctx, p.ProjectID, began(p), p.StartedAt); err != nil {
		return err
	}
	return v.Ledger.ReadableProject(ctx, p.ProjectID, began(p))
}

// failed records that GitLab did not give a page. A failure that may pass delays the
// pass, any other ends it; both leave it at its checkpoint. One of the whole token, or
// of its budget, makes every worker wait as well.
func (v *visit) failed(ctx context.Context, err error, requests int) error {
	if ctx.Err() != nil {
		return ctx.Err() // out of time: the next invocation reads the page
	}
	why := outage.AsError(err)
	next, now := v.pass, v.Clock()
	next.Counts.AddListRequests(requests)
	next.Error = why
	next.Tries++
	if next.FailingSince.IsZero() {
		next.FailingSince = now
	}
	refused := refuses(why)
	lasting := !why.Retryable && !(refused && next.Tries < surgical.NotFoundTries) ||
		next.Kind == surgical.PassBackfill && now.Sub(next.FailingSince) >= surgical.GiveUpAfter ||
		next.Kind == surgical.PassReconcile && next.Tries >= surgical.ListTries && !why.Code.PausesAll()
	next.DueAt = now.Add(delay(next.Tries, why))
	if lasting {
		next.Status, next.FinishedAt = surgical.StatusFailed, now
	}
	if next.Kind == surgical.PassReconcile {
		next.DueAt = earlier(next.DueAt, later(now, next.StartedAt.Add(v.Interval)))
		if lasting { // the next cycle tries again, from the same checkpoint
			next.DueAt = later(now, next.StartedAt.Add(v.Interval))
		}
	}
	if next.Kind == surgical.PassCensus && lasting {
		next.DueAt = next.NextCensus(v.Census)
	}
	var saved error
	if why.Code.PausesAll() {
		v.report.spared = true
		next.DueAt = now.Add(delay(next.Tries, why))
		saved = v.Ledger.SetPause(ctx, next.DueAt, why.PauseReason())
	}
	if v.refused || why.Code == surgical.CodeGitLabUnauthorized {
		saved = errors.Join(saved, v.watch().Record(ctx, v.project, projects.Answer{AskedAt: now, Err: why}))
	}
	saved = errors.Join(saved, v.save(ctx, next, ledger.PassChange{}))
	v.Log.WarnContext(ctx, "pass_waits", append(logFields(next), "code", string(why.Code), "error", why.Error(),
		"tries", next.Tries, "delay_ms", next.DueAt.Sub(now).Milliseconds(), "status", string(next.Status))...)
	if lasting {
		v.ended(ctx)
	}
	if lasting && v.refused && why.Code == surgical.CodeGitLabNotFound {
		saved = errors.Join(saved, v.forget(ctx))
	}
	return saved
}

// forget removes the row of a project that GitLab has not shown several times in a row, if
// it has never shown it, there are no copies, and the allow list does not name it: anybody
// may have requested something of an id that no project has, and nothing else would ever
// end the alarm.
func (v *visit) forget(ctx context.Context) error {
	if v.project.Path != "" || slices.Contains(v.Listed, v.project.ID) {
		return nil
	}
	copies, _, err := v.Content.Copies(ctx, v.project.ID, "", 1)
	if err != nil || len(copies) > 0 {
		return err
	}
	if err := v.Ledger.ForgetProject(ctx, v.project.ID); err != nil {
		return err
	}
	v.Log.WarnContext(ctx, "project_forgotten", append(logFields(v.pass), "code", string(surgical.CodeGitLabNotFound))...)
	return nil
}

// ended reports a pass that ended.
func (v *visit) ended(ctx context.Context) {
	if v.pass.Status == surgical.StatusFailed {
		v.report.Failed++
	} else {
		v.report.Finished++
	}
	counts := v.pass.Counts
	v.log(ctx, "pass_ended", "status", string(v.pass.Status), "listed", counts.Listed, "different", counts.Different,
		"done", counts.Done, "failed", counts.Failed, "requests", counts.Requests)
}

// delay is how long a pass waits after a failure: as long as GitLab says, or else twice
// as long with every further one.
func delay(tries int64, why *surgical.Error) time.Duration {
	if why.RetryAfter > 0 {
		return min(why.RetryAfter, surgical.MaxRetryAfter)
	}
	if why.Code.PausesAll() {
		return surgical.DefaultPause
	}
	return min(surgical.FirstResume<<min(tries-1, 10), surgical.MaxResume)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
