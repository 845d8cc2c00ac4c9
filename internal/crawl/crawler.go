// Package crawl finds what no webhook announced. A pass reads GitLab's lists of a
// project page by page, compares them with the heads, and requests a run for every
// entity that differs. A backfill lists everything, a reconcile what changed since the
// last one, and a census fetches every copy again. An entity that a list does not show
// is left alone: absence hides nothing.
//
// The unit of work is one page, then a checkpoint that is written on condition that
// nobody else wrote one. What a page requested is stored with it, as a window, before
// any run is queued; so a crash anywhere neither loses a run nor requests a second one.
package crawl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Sender puts a request on a queue.
type Sender interface {
	Send(ctx context.Context, req surgical.Request) error
}

// Crawler carries the passes of all projects on. All fields are required but Pause, Meter
// and NewTrace.
type Crawler struct {
	Ledger  *ledger.Ledger
	Content *content.Store
	GitLab  *gitlab.Client
	// Bulk is the queue of the runs.
	Bulk Sender
	// Hides is the queue of hide requests.
	Hides Sender
	// Allows is the allow list of projects, and Listed are the ids that it names.
	Allows func(projectID int64) bool
	Listed []int64
	// HideAfter is how long GitLab must refuse to show a project before its copies are
	// hidden.
	HideAfter time.Duration
	// Interval is the time from the start of one reconcile of a project to the next.
	Interval time.Duration
	// Census is the budget of a census; 0 for none.
	Census time.Duration
	Clock  func() time.Time
	// Pause waits until an invocation looks again at passes whose runs are under way, or
	// until the context ends. Without it, an invocation looks once.
	Pause func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger
	Meter *metrics.Emitter
	// NewTrace returns the traceparent of a new run.
	NewTrace func(context.Context) string
}

// Report counts what an invocation did.
type Report struct {
	Passes, Pages, Runs, Finished, Failed int
	// spared is set if no further request may be sent: what remains of GitLab's budget is
	// left to webhooks, or GitLab refuses every request.
	spared bool
	// outstanding is how many runs of all backfills are not known to have ended.
	outstanding int64
	// seen is the last answer of GitLab.
	seen ledger.Sighting
	// age is for how long a project was not compared with its lists; see
	// [surgical.ReconcileAge].
	age time.Duration
	// allowance is how many runs and pages censuses may still request.
	allowance int64
}

// Handle implements the Lambda function, which a schedule and the API start. A pass
// that fails does not stop the others. Of two invocations at the same time, the second
// ends at once.
func (c *Crawler) Handle(ctx context.Context) (Report, error) {
	var report Report
	release, err := c.Ledger.LeaseCrawler(ctx, surgical.CrawlerLease)
	if errors.Is(err, surgical.ErrMoved) {
		c.Log.InfoContext(ctx, "crawl_skipped", "reason", "another invocation is at work")
		return report, nil
	}
	if err != nil {
		return report, err
	}
	// Read before anything can fail: passes show why they wait.
	pause, why, err := c.Ledger.PauseReason(ctx)
	switch {
	case err != nil:
	case !pause.After(c.Clock()):
		err = c.work(ctx, &report)
	case why == surgical.CodeGitLabUnauthorized:
		err = c.refused(ctx)
	default:
		err = c.wait(ctx, &report)
	}
	c.Meter.ReconcileAge(report.age, c.Interval)
	if !report.seen.At.IsZero() {
		err = errors.Join(err, c.Ledger.SawGitLab(context.WithoutCancel(ctx), report.seen))
	}
	err = errors.Join(err, release(context.WithoutCancel(ctx)))
	c.Log.InfoContext(ctx, "crawled", "passes", report.Passes, "pages", report.Pages, "runs", report.Runs,
		"passes_finished", report.Finished, "passes_failed", report.Failed, "outcome", outcomeOf(err))
	return report, err
}

func outcomeOf(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

// work looks after hooks for a share of the time, and then at passes, again and again as
// long as somebody waits for one whose runs are under way.
func (c *Crawler) work(ctx context.Context, report *Report) error {
	spared, err := c.Ledger.Spare(ctx)
	if err != nil {
		return err
	}
	report.spared = spared.After(c.Clock())
	report.allowance = surgical.MaxCensusRuns
	errs := []error{c.watchHooks(ctx, report)}
	for pause, next := surgical.Settle+surgical.FirstLook, surgical.FirstLook; ; pause, next = next, min(2*next, surgical.MaxLook) {
		awaited, err := c.crawl(ctx, report)
		errs = append(errs, err)
		if err != nil || !awaited || report.spared || c.Pause == nil || !enough(ctx, surgical.CrawlReserve+pause) || c.Pause(ctx, pause) != nil {
			return errors.Join(errs...)
		}
	}
}

// step does one unit of work, and reports whether there is more to do now.
type step func(ctx context.Context) (more bool, err error)

// crawl takes steps of everything that is due in turn, what has waited longest first,
// until nothing is left to do or the time is up. So nothing keeps anything else that is
// due waiting for more than a step. A crash leaves every pass at its last checkpoint.
// awaited reports whether somebody waits for runs of a pass.
func (c *Crawler) crawl(ctx context.Context, report *Report) (awaited bool, err error) {
	requests, unlisted, startErr := c.start(ctx, report)
	var passes []surgical.Pass
	report.outstanding = 0
	for p, err := range c.Ledger.Passes(ctx) {
		if err != nil {
			return false, errors.Join(startErr, err)
		}
		passes = append(passes, p)
		if p.Kind == surgical.PassBackfill && c.Allows(p.ProjectID) {
			report.outstanding += p.Outstanding
		}
	}
	errs := []error{startErr, c.conclude(ctx, requests, passes)}
	all, err := c.projects(ctx)
	if err != nil {
		return false, errors.Join(append(errs, err)...)
	}
	due := c.due(all, passes, c.Clock())
	report.age, _ = surgical.ReconcileAge(passes, all, c.Clock())
	report.Passes = max(report.Passes, len(due))
	report.allowance = min(report.allowance, c.allowance(passes))
	visits := make([]*visit, len(due))
	steps := slices.Clone(unlisted)
	for i, p := range due {
		visits[i] = &visit{Crawler: c, pass: p, report: report}
		steps = append(steps, visits[i].step)
	}
	errs = append(errs, c.take(ctx, steps))
	awaited = len(unlisted) > 0 || slices.ContainsFunc(visits, (*visit).awaited)
	return awaited, errors.Join(errs...)
}

// take takes one step of each in turn, and again of those with more to do, while there
// is time. One that fails does not stop the others.
func (c *Crawler) take(ctx context.Context, steps []step) error {
	var errs []error
	for len(steps) > 0 {
		var again []step
		for _, next := range steps {
			if !c.hasTime(ctx) {
				return errors.Join(errs...)
			}
			more, err := next(ctx)
			errs = append(errs, unlessMoved(err))
			if more && err == nil {
				again = append(again, next)
			}
		}
		steps = again
	}
	return errors.Join(errs...)
}

// unlessMoved drops [surgical.ErrMoved]: a request changed the pass, and the next
// invocation goes on from there.
func unlessMoved(err error) error {
	if errors.Is(err, surgical.ErrMoved) {
		return nil
	}
	return err
}

// hasTime reports whether the invocation may begin another page.
func (c *Crawler) hasTime(ctx context.Context) bool { return enough(ctx, surgical.CrawlReserve) }

// enough reports whether more than this is left of the invocation's time.
func enough(ctx context.Context, left time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > left)
}

// spare remembers what GitLab said about its budget, and leaves the rest of it to webhooks,
// once it is as small as their reserve.
func (c *Crawler) spare(ctx context.Context, l gitlab.RateLimit, report *Report) error {
	report.seen = ledger.Sighting{At: c.Clock(), RateLimit: l}
	until, low := l.Spare(c.Clock())
	if !low {
		return nil
	}
	report.spared = true
	return c.Ledger.SetSpare(ctx, until)
}

// queue queues one run, and reports whether its message was sent. If the run is queued
// already, that may not have happened.
func (c *Crawler) queue(ctx context.Context, req surgical.Request) (sent bool, err error) {
	if c.NewTrace != nil {
		req.TraceParent = c.NewTrace(ctx)
	}
	ctx = trace.With(ctx, req.TraceParent, req.RunID)
	run, err := c.Ledger.QueueInBulk(ctx, req)
	if errors.Is(err, surgical.ErrMoved) {
		run, err = c.Ledger.Run(ctx, req.RunID)
	}
	if err != nil {
		return false, err
	}
	if run.Status != surgical.StatusQueued {
		return false, nil
	}
	if err := c.Bulk.Send(ctx, run.Request); err != nil {
		return false, fmt.Errorf("send run %s: %w", run.RunID, err)
	}
	return true, nil
}

// due returns the passes with something to do now, those that have waited longest
// first: what an invocation had no time for comes before what it advanced.
func (c *Crawler) due(all map[int64]surgical.Project, passes []surgical.Pass, now time.Time) []surgical.Pass {
	var due []surgical.Pass
	type began struct {
		surgical.PassKind
		projectID int64
	}
	begun := map[began]bool{}
	for _, p := range passes {
		begun[began{p.Kind, p.ProjectID}] = true
		if c.Allows(p.ProjectID) && c.isDue(p, now) {
			due = append(due, p)
		}
	}
	for id := range all { // for the first time
		if !begun[began{surgical.PassReconcile, id}] {
			due = append(due, surgical.Pass{ProjectID: id, Kind: surgical.PassReconcile})
		}
		if !begun[began{surgical.PassCensus, id}] && c.Census > 0 {
			due = append(due, surgical.Pass{ProjectID: id, Kind: surgical.PassCensus})
		}
	}
	slices.SortFunc(due, func(a, b surgical.Pass) int {
		return cmp.Or(later(a.DueAt, a.UpdatedAt).Compare(later(b.DueAt, b.UpdatedAt)), cmp.Compare(a.ProjectID, b.ProjectID), cmp.Compare(a.Kind, b.Kind))
	})
	return due
}

// wait looks how long projects have waited, while everything does.
func (c *Crawler) wait(ctx context.Context, report *Report) error {
	all, err := c.projects(ctx)
	if err != nil {
		return err
	}
	passes, err := c.Ledger.PassesOf(ctx, surgical.PassReconcile)
	report.age, _ = surgical.ReconcileAge(passes, all, c.Clock())
	return err
}

// projects are those that are reconciled: all that are allowed and known, by the allow
// list or by a row.
func (c *Crawler) projects(ctx context.Context) (map[int64]surgical.Project, error) {
	all := map[int64]surgical.Project{}
	for _, id := range c.Listed {
		all[id] = surgical.Project{ID: id}
	}
	for project, err := range c.Ledger.Projects(ctx) {
		if err != nil {
			return nil, err
		}
		if c.Allows(project.ID) {
			all[project.ID] = project
		}
	}
	return all, nil
}

func (c *Crawler) isDue(p surgical.Pass, now time.Time) bool {
	if p.DueAt.After(now) {
		return false
	}
	if p.Kind == surgical.PassCensus {
		return c.Census > 0 || p.Outstanding > 0
	}
	return p.Kind == surgical.PassReconcile || p.Status == surgical.StatusRunning || p.Outstanding > 0
}

// watch records what GitLab says about projects themselves.
func (c *Crawler) watch() *projects.Watch {
	return &projects.Watch{Ledger: c.Ledger, Clock: c.Clock, HideAfter: c.HideAfter, Backfill: c.restore, Resume: c.resume, Log: c.Log, Meter: c.Meter}
}

// refused records, while everything waits because GitLab refuses the token, that it shows
// no project. With a backlog, some worker finds that out anew whenever a pause ends, so
// the crawler may never come to ask for itself.
func (c *Crawler) refused(ctx context.Context) error {
	var errs []error
	for project, err := range c.Ledger.Projects(ctx) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if c.Allows(project.ID) {
			errs = append(errs, c.watch().Refused(ctx, project))
		}
	}
	return errors.Join(errs...)
}

// restore starts the backfill of a project that GitLab shows again.
func (c *Crawler) restore(ctx context.Context, projectID int64) error {
	project, err := c.Ledger.Project(ctx, projectID)
	if err != nil {
		return err
	}
	id := surgical.NewPassID(projectID, surgical.PassBackfill, "hidden "+project.HiddenAt.UTC().Format(time.RFC3339Nano))
	_, err = c.Ledger.StartBackfill(ctx, surgical.NewBackfill(projectID, id, id, c.Clock()))
	if errors.Is(err, surgical.ErrReplaced) {
		return nil // by a later one, which restores as much
	}
	return err
}

// resume lets the backfill of a project go on that could not fetch something while GitLab
// did not show the project.
func (c *Crawler) resume(ctx context.Context, project surgical.Project) error {
	last, err := c.Ledger.Pass(ctx, project.ID, surgical.PassBackfill)
	if err != nil || !last.Exists() {
		return err
	}
	goesOn := func(p surgical.Pass) (surgical.Pass, bool) { return p.SeenAgain(project.UnseenSince, c.Clock()) }
	_, err = c.Ledger.ChangePass(ctx, project.ID, last.ID, goesOn)
	if surgical.CodeOf(err) == surgical.CodeBackfillNotFound {
		return nil // a later one took its place, and lists everything
	}
	return err
}
