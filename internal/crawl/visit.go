package crawl

import (
	"context"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// visit is one invocation's work on one pass.
type visit struct {
	*Crawler
	// pass is the row as this visit read or wrote it last.
	pass surgical.Pass
	// begun is set once the visit has read what belongs to the pass.
	begun   bool
	project surgical.Project
	// windows are those with runs that are not known to have ended.
	windows []surgical.Window
	// failures are the entities that the pass could not bring up to date; nil if they
	// were not read.
	failures map[surgical.Target]bool
	// refused is set if GitLab did not show the project itself.
	refused bool
	report  *Report
}

// step begins the visit, and does one step of its pass unless GitLab's budget is left to
// webhooks. It reports whether there is more to do now.
func (v *visit) step(ctx context.Context) (more bool, err error) {
	if !v.begun {
		v.begun = true
		if err := v.begin(ctx); err != nil {
			return false, err
		}
	}
	if v.report.spared {
		return false, nil
	}
	return v.advance(ctx)
}

// awaited reports whether somebody waits for runs of the pass. Nobody waits for a census.
func (v *visit) awaited() bool { return v.pass.Kind != surgical.PassCensus && v.pass.Outstanding > 0 }

// begin reads what belongs to the pass, goes on with what an earlier invocation left
// behind, and looks which runs have ended. A reconcile whose time has come begins its
// next cycle.
func (v *visit) begin(ctx context.Context) (err error) {
	p := v.pass
	if v.project, err = v.Ledger.Project(ctx, p.ProjectID); err != nil {
		return err
	}
	v.pass = p.Restarted(v.project.HiddenAt, v.Clock())
	if p.Windows > 0 {
		if v.windows, err = v.Ledger.Windows(ctx, p); err != nil {
			return err
		}
	}
	if err := v.send(ctx); err != nil {
		return err
	}
	switch {
	case v.cycleDue():
		return v.beginCycle(ctx)
	case p.Kind == surgical.PassReconcile:
		return v.await(ctx)
	case v.censusDue():
		return v.beginCensus(ctx)
	}
	return v.settle(ctx)
}

// advance does one step: it reads one page, or ends the pass. It reports whether there
// is more to do now.
func (v *visit) advance(ctx context.Context) (more bool, err error) {
	switch {
	case v.pass.Status != surgical.StatusRunning:
		return false, nil
	case v.pass.Kind == surgical.PassCensus:
		return false, v.count(ctx)
	case v.pass.Listed():
		return false, v.finish(ctx)
	case v.pass.Legs[v.pass.Leg].CatchUp && v.pass.Outstanding > 0 && (v.pass.Legs[v.pass.Leg].Type != "" || v.pass.Cursor == ""):
		return false, nil
	case v.full():
		return v.makeRoom(ctx)
	case v.pass.Legs[v.pass.Leg].Type == "":
		return true, v.again(ctx)
	}
	return v.page(ctx)
}

// page reads one page of the current leg, compares it with the heads, and stores what
// it requests together with the place where the next page begins. A crash before that
// repeats the page; one after it leaves the runs to the next invocation.
func (v *visit) page(ctx context.Context) (more bool, err error) {
	listedAt := v.Clock()
	v.pass.Legs = slices.Clone(v.pass.Legs)
	if leg := &v.pass.Legs[v.pass.Leg]; leg.CatchUp && leg.Since.IsZero() {
		leg.Since = v.pass.Legs[0].Began.Add(-surgical.ReconcileOverlap)
	}
	back := !v.project.UnseenSince.IsZero()
	named, err := v.name(ctx)
	if err != nil {
		return false, v.failed(ctx, err, named)
	}
	if v.report.spared || back && v.pass.Kind == surgical.PassBackfill {
		return false, nil // a backfill whose project is back may have changed
	}
	page, err := v.list(ctx)
	if page.Requests += named; err != nil {
		return false, v.failed(ctx, err, page.Requests)
	}
	awaited, err := v.compare(ctx, page.Entries, listedAt)
	if err != nil {
		return false, err
	}
	if err := v.unreadable(ctx, page.Unreadable, listedAt); err != nil {
		return false, err
	}
	next := v.pass.WithoutFailure()
	next.Legs = slices.Clone(next.Legs)
	leg := &next.Legs[next.Leg]
	if next.Cursor == "" {
		leg.Began, leg.Total = page.Date, int64(page.Total)
		if leg.Began.IsZero() {
			leg.Began = listedAt
		}
	}
	for _, entry := range page.Entries {
		if entry.UpdatedAt.After(leg.Newest) {
			leg.Newest = entry.UpdatedAt
		}
	}
	next.Counts.Listed += int64(len(page.Entries))
	next.Counts.Unreadable += int64(page.Unreadable)
	next.Counts.Different += int64(len(awaited))
	next.Counts.Pages++
	next.Counts.AddListRequests(page.Requests)
	if next.Cursor = page.Next; next.Cursor == "" {
		if next = passed(next); next.Listed() {
			next.ListedAt = listedAt
		}
	}
	v.report.Pages++
	if err := v.request(ctx, next, awaited, ledger.PassChange{}); err != nil {
		return false, err
	}
	return true, v.spare(ctx, page.RateLimit, v.report)
}

// unreadable records that so many records of a page named no entity: before the page is
// stored, because the next lists may not show them again.
func (v *visit) unreadable(ctx context.Context, records int, listedAt time.Time) error {
	if records == 0 {
		return nil
	}
	leg := v.pass.Legs[v.pass.Leg]
	v.Log.WarnContext(ctx, "records_unreadable", append(logFields(v.pass), "type", string(leg.Type), "records", records,
		"since", leg.Since, "cursor", v.pass.Cursor)...)
	v.project.Unreadable = surgical.Unreadable{Records: v.pass.Counts.Unreadable + int64(records), At: listedAt}
	return v.Ledger.UnreadableProject(ctx, v.project.ID, v.project.Unreadable)
}

// name looks at a project whose path is not known yet, or that GitLab did not show: that
// it shows lists of the project says nothing about that, because a token may be allowed
// one and not the other. It returns the number of requests that this took.
func (v *visit) name(ctx context.Context) (requests int, err error) {
	if v.project.Path != "" && v.project.UnseenSince.IsZero() {
		return 0, nil
	}
	return v.look(ctx)
}

// look requests the project itself, and records that GitLab shows it. It returns the
// number of requests that this took.
func (v *visit) look(ctx context.Context) (requests int, err error) {
	at := v.Clock()
	project, answer, err := v.GitLab.Project(ctx, strconv.FormatInt(v.pass.ProjectID, 10))
	if err != nil {
		v.refused = refuses(err)
		return answer.Requests, err
	}
	if err := v.spare(ctx, answer.RateLimit, v.report); err != nil {
		return answer.Requests, err
	}
	if err := v.watch().Record(ctx, v.project, projects.Answer{Path: project.Path, AskedAt: at}); err != nil {
		return answer.Requests, err
	}
	v.project, err = v.Ledger.Project(ctx, v.pass.ProjectID)
	return answer.Requests, err
}

// refuses reports whether GitLab said that what was requested is not there, or not for
// this token.
func refuses(err error) bool {
	code := surgical.CodeOf(err)
	return err != nil && (code == surgical.CodeGitLabForbidden || code == surgical.CodeGitLabNotFound)
}

// list requests the page. A list that GitLab refuses because the project has switched
// the feature off is empty.
func (v *visit) list(ctx context.Context) (gitlab.ListPage, error) {
	leg := v.pass.Legs[v.pass.Leg]
	query := gitlab.ListQuery{UpdatedAfter: leg.Since, Cursor: v.pass.Cursor}
	read := v.GitLab.ListIssues
	if leg.Type == surgical.MergeRequest {
		read = v.GitLab.ListMergeRequests
	}
	page, err := read(ctx, v.pass.ProjectID, query)
	if !refuses(err) {
		return page, err
	}
	project, answer, ownErr := v.GitLab.Project(ctx, strconv.FormatInt(v.pass.ProjectID, 10))
	page.Requests += answer.Requests
	switch {
	case ownErr != nil:
		v.refused = refuses(ownErr)
		return page, ownErr
	case leg.Type == surgical.Issue && project.NoIssues, leg.Type == surgical.MergeRequest && project.NoMergeRequests:
		page.Answer = answer
		page.Next, page.Total = "", 0
		return page, nil
	}
	return page, err
}

// compare returns the entries that differ from the heads, each with the run that is to
// fetch it. An entity that the pass awaits already is left out, unless the list shows
// something newer by now.
func (v *visit) compare(ctx context.Context, entries []gitlab.Entry, listedAt time.Time) ([]surgical.Awaited, error) {
	newest := map[surgical.Target]surgical.Entry{}
	var refs []surgical.EntityRef
	for _, e := range entries {
		if known, seen := newest[e.Ref.Target]; !seen {
			refs = append(refs, e.Ref)
		} else if !known.UpdatedAt.Before(e.UpdatedAt) {
			continue
		}
		newest[e.Ref.Target] = surgical.Entry{Target: e.Ref.Target, UpdatedAt: e.UpdatedAt, UserNotesCount: e.UserNotesCount}
	}
	heads, err := v.Content.Heads(ctx, refs)
	if err != nil {
		return nil, err
	}
	failures, err := v.failedBefore(ctx)
	if err != nil {
		return nil, err
	}
	var awaited []surgical.Awaited
	tries := int64(0)
	if v.pass.Legs[v.pass.Leg].CatchUp {
		tries = 1 // a run of the first lists may have been too early for a replica
	}
	for _, ref := range refs {
		entry, head := newest[ref.Target], heads[ref]
		if failures[ref.Target] || v.awaits(entry) || !entry.Differs(head, v.project.HiddenAt, listedAt) {
			continue
		}
		awaited = append(awaited, v.pass.Await(entry, head.Revision, listedAt, tries))
	}
	return awaited, nil
}

// failedBefore returns the entities that the pass could not bring up to date. They are
// tried again on request, not because another list of the pass shows them too.
func (v *visit) failedBefore(ctx context.Context) (map[surgical.Target]bool, error) {
	if v.failures != nil || v.pass.Counts.Failed == 0 {
		return v.failures, nil
	}
	all, err := v.Ledger.PassFailures(ctx, v.pass, 0)
	if err != nil {
		return nil, err
	}
	v.failures = make(map[surgical.Target]bool, len(all))
	for _, f := range all {
		v.failures[f.Target] = true
	}
	return v.failures, nil
}

// awaits reports whether a run that shows the entry is awaited. One that is left over from
// the pass before may be cancelled.
func (v *visit) awaits(e surgical.Entry) bool {
	for _, w := range v.windows {
		for _, a := range w.Awaited {
			if !w.Left && a.Target == e.Target && !a.UpdatedAt.Before(e.UpdatedAt) && a.UserNotesCount == e.UserNotesCount {
				return true
			}
		}
	}
	return false
}

// request stores the pass with windows for what it awaits now, and queues the runs.
func (v *visit) request(ctx context.Context, next surgical.Pass, awaited []surgical.Awaited, change ledger.PassChange) error {
	for some := range slices.Chunk(awaited, surgical.MaxWindow) {
		change.Put = append(change.Put, surgical.Window{PassID: next.ID, Number: next.Windows, Awaited: some})
		next.Windows++
	}
	next.Outstanding += int64(len(awaited))
	if err := v.save(ctx, next, change); err != nil {
		return err
	}
	v.windows = append(v.windows, change.Put...)
	return v.send(ctx)
}

// save stores the pass. A visit whose pass somebody else has changed ends with
// [surgical.ErrMoved].
func (v *visit) save(ctx context.Context, next surgical.Pass, change ledger.PassChange) error {
	saved, err := v.Ledger.SavePass(ctx, next, change)
	if err != nil {
		return err
	}
	if saved.Kind == surgical.PassBackfill {
		v.report.outstanding += saved.Outstanding - v.pass.Outstanding
	}
	v.pass = saved
	return nil
}

// send queues the runs of the windows that an invocation has stored and not sent, this
// one or one that crashed.
func (v *visit) send(ctx context.Context) error {
	for i, w := range v.windows {
		if w.Sent {
			continue
		}
		for _, a := range w.Awaited {
			sent, err := v.queue(ctx, v.pass.Request(a, v.Clock()))
			if err != nil {
				return err
			}
			if sent {
				v.report.Runs++
			}
		}
		if err := v.Ledger.WindowSent(ctx, v.pass, w); err != nil {
			return err
		}
		v.windows[i].Sent = true
	}
	return nil
}

// log writes one line for one decision.
func (v *visit) log(ctx context.Context, decision string, args ...any) {
	v.Log.InfoContext(ctx, decision, append(logFields(v.pass), args...)...)
}

func logFields(p surgical.Pass) []any {
	return []any{"project_id", p.ProjectID, "kind", string(p.Kind), "pass_id", p.ID}
}
