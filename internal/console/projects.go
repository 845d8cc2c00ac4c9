package console

import (
	"cmp"
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// projectsView is one page of the list of projects.
type projectsView struct {
	Rows        []projectRow
	First, Next *link
}

// projectRow is a project in the list.
type projectRow struct {
	Project  link
	Path     string
	Complete moment
	// Issues and MergeRequests are how many GitLab's lists had, and IssueList and
	// MergeRequestList lead to what is stored; nil in the widget.
	Issues, MergeRequests       string
	IssueList, MergeRequestList *link
	// Hook is empty if the hook was not checked yet.
	Hook       mark
	Reconciled moment
	Missed     string
	// Warning says that copies are hidden, or soon will be, or that some may be missing.
	Warning string
	// Since is when that began, if that is known.
	Since moment
}

// projects lists the projects that have a row.
func (r reader) projects(ctx context.Context, f frame, q Query) (*projectsView, error) {
	limit := cmp.Or(q.Limit, listLimit)
	v := &projectsView{}
	last := int64(0)
	for p, err := range r.ledger.ProjectsAfter(ctx, q.After, limit+1) {
		if err != nil {
			return nil, err
		}
		if len(v.Rows) == limit {
			next := f.to("More projects", Query{View: ViewProjects, After: last, Limit: q.Limit})
			v.Next = &next
			break
		}
		v.Rows, last = append(v.Rows, f.projectRow(p)), p.ID
	}
	if q.After != 0 {
		first := f.to("First projects", Query{View: ViewProjects, Limit: q.Limit})
		v.First = &first
	}
	return v, nil
}

func (f frame) projectRow(p surgical.Project) projectRow {
	row := projectRow{Project: f.toProject(p.ID), Path: plaintext.Line(p.Path), Complete: f.moment(p.CompleteAsOf)}
	if c := p.Counts; !c.At.IsZero() {
		row.Issues, row.MergeRequests = count(int(c.Issues), false, "issue"), count(int(c.MergeRequests), false, "merge request")
	}
	if p.Hook.State != "" {
		row.Hook = markOfHook(p.Hook.State)
	}
	if l := p.LastReconcile; !l.EndedAt.IsZero() {
		row.Reconciled, row.Missed = f.moment(l.EndedAt), count(int(l.Missed), false, "missed event")
	}
	row.Warning, row.Since = f.warningOf(p)
	return row
}

func (f frame) warningOf(p surgical.Project) (string, moment) {
	switch {
	case !p.UnseenSince.IsZero():
		return "GitLab does not show this project", f.moment(p.UnseenSince)
	case !p.HiddenAt.IsZero():
		return "Copies fetched earlier are hidden", f.moment(p.HiddenAt)
	}
	if p.Unreadable.Records > 0 {
		return "Records of GitLab's lists cannot be read", moment{}
	}
	return "", moment{}
}

func markOfHook(state surgical.HookState) mark {
	word := string(state)
	switch state {
	case surgical.HookWorking:
		return mark{word, "good", "check"}
	case surgical.HookUnreadable:
		return mark{word, "off", "bar"}
	}
	return mark{word, "bad", "cross"}
}

// projectView shows one project: what is known of it, and its newest runs.
type projectView struct {
	Path string
	// Warning says that copies are hidden, or soon will be.
	Warning string
	Since   moment
	Known   bool
	Facts   []fact
	// Hook is nil if the hook was not checked yet.
	Hook *projectHook
	// Reconcile is empty if no reconcile has ended.
	Reconcile []fact
	// Census is empty if no census has ended.
	Census []fact
	// Lists lead to the project's issues and merge requests; empty in the widget.
	Lists   []link
	Rows    []runRow
	AllRuns link
	Todo    []advice.Step
}

// projectHook is the result of the last check of the project's webhook.
type projectHook struct {
	State  mark
	Reason string
	Facts  []fact
}

func (r reader) project(ctx context.Context, f frame, q Query) (*projectView, error) {
	p, err := r.ledger.Project(ctx, q.ProjectID)
	if err != nil {
		return nil, err
	}
	runs, _, err := r.ledger.List(ctx, ledger.RunFilter{ProjectID: q.ProjectID}, ledger.RunPlace{}, overviewLimit)
	if err != nil {
		return nil, err
	}
	return f.project(p, runs), nil
}

// project shows what is known of the project, and its newest runs.
func (f frame) project(p surgical.Project, runs []surgical.Run) *projectView {
	v := &projectView{
		Path: plaintext.Line(p.Path), Known: p.Known, Rows: f.rows(runs, nil),
		AllRuns: f.to("All runs of this project", Query{View: ViewRuns, ProjectID: p.ID}),
		Todo:    []advice.Step{{Text: "Show the same on the command line.", Command: fmt.Sprintf("lore projects show %d", p.ID)}},
	}
	v.Warning, v.Since = f.warningOf(p)
	v.Facts = []fact{{Name: "Complete as of", Value: "not yet", Moment: f.moment(p.CompleteAsOf)}}
	if len(p.CompleteExcept) > 0 {
		v.Facts = append(v.Facts, fact{Name: "Except for", Value: surgical.ShortTargets(p.CompleteExcept)})
	}
	if n := p.Unreadable.Records; n > 0 {
		v.Facts = append(v.Facts, fact{Name: "Records of lists not readable", Value: number(int(n), false)})
	}
	if c := p.Counts; !c.At.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "Issues in GitLab", Value: number(int(c.Issues), false)},
			fact{Name: "Merge requests in GitLab", Value: number(int(c.MergeRequests), false)}, fact{Name: "Counted", Moment: f.moment(c.At)})
	}
	if !p.HiddenAt.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "Hidden at", Moment: f.moment(p.HiddenAt)})
	}
	if h := p.Hook; h.State != "" {
		v.Hook = &projectHook{State: markOfHook(h.State), Reason: plaintext.Line(h.Reason), Facts: []fact{{Name: "Checked", Moment: f.moment(h.CheckedAt)}}}
		if h.Findings > 0 {
			v.Hook.Facts = append(v.Hook.Facts, fact{Name: "Not working in", Value: count(int(h.Findings), false, "check") + " in a row"})
		}
		if h.ID != 0 {
			v.Hook.Facts = append(v.Hook.Facts, fact{Name: "GitLab's id of the hook", Value: fmt.Sprint(h.ID)})
		}
	}
	if l := p.LastReconcile; !l.EndedAt.IsZero() {
		v.Reconcile = []fact{
			{Name: "Ended", Moment: f.moment(l.EndedAt)},
			{Name: "Took", Value: duration.Text(l.EndedAt.Sub(l.BeganAt))},
			{Name: "Listed", Value: number(int(l.Listed), false)},
			{Name: "Different", Value: number(int(l.Different), false)},
			{Name: "Missed events", Value: number(int(l.Missed), false)},
			{Name: "Requests", Value: number(int(l.Requests), false)},
		}
	}
	if c := p.LastCensus; !c.EndedAt.IsZero() {
		v.Census = f.factsOfCensus(c)
	}
	return v
}

// factsOfCensus are the counts of a census, and how many entities it found to differ, by
// what it was.
func (f frame) factsOfCensus(c surgical.Censused) []fact {
	return []fact{
		{Name: "Ended", Moment: f.moment(c.EndedAt)},
		{Name: "Took", Value: duration.Text(c.EndedAt.Sub(c.BeganAt))},
		{Name: "Found", Value: surgical.DescribeFindings(c.Found)},
		{Name: "Listed", Value: number(int(c.Listed), false)},
		{Name: "Fetched", Value: number(int(c.Fetched), false)},
		{Name: "Failed", Value: number(int(c.Failed), false)},
		{Name: "Requests", Value: number(int(c.Requests), false)},
	}
}
