package crawl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// finish ends a pass whose lists have ended, once all of its runs have. Entities that
// failed make a backfill fail, but only at its end.
func (v *visit) finish(ctx context.Context) error {
	if v.pass.Kind == surgical.PassReconcile {
		return v.await(ctx)
	}
	if v.pass.Outstanding > 0 {
		return nil
	}
	next := v.pass
	next.Status, next.FinishedAt, next.Error = surgical.StatusSucceeded, v.Clock(), nil
	if n := next.Counts.Failed; n > 0 {
		next.Status = surgical.StatusFailed
		next.Error = surgical.NewError(surgical.CodeBackfillIncomplete, fmt.Sprintf("entities that could not be brought up to date: %d", n))
	}
	if err := v.save(ctx, next, ledger.PassChange{}); err != nil {
		return err
	}
	v.ended(ctx)
	if next.Status == surgical.StatusFailed {
		return nil
	}
	counts := surgical.ProjectCounts{At: next.StartedAt}
	for _, leg := range next.Legs {
		switch {
		case leg.CatchUp || leg.Total < 0:
		case leg.Type == surgical.Issue:
			counts.Issues = leg.Total
		case leg.Type == surgical.MergeRequest:
			counts.MergeRequests = leg.Total
		}
	}
	if err := v.Ledger.CountProject(ctx, next.ProjectID, counts); err != nil {
		return err
	}
	return v.Ledger.CompleteProject(ctx, next.ProjectID, began(next), next.StartedAt)
}

// failed records that GitLab did not give a page. A failure that may pass delays the
// pass, any other ends it; both leave it at its checkpoint. One of the whole token, or
// of its budget, makes every worker wait as well.
func (v *visit) failed(ctx context.Context, err error, requests int) error {
	if ctx.Err() != nil {
		return ctx.Err() // out of time: the next invocation reads the page
	}
	why := surgical.AsError(err)
	next, now := v.pass, v.Clock()
	next.Counts.ListRequests += int64(requests)
	next.Counts.Requests += int64(requests)
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
	return saved
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
