package console

import (
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// What the API returns, as the domain has it: so that site and widget show a run and a
// project in one way.

func runsOf(all []apiclient.Run) []surgical.Run {
	runs := make([]surgical.Run, len(all))
	for i, r := range all {
		runs[i] = r.Domain()
	}
	return runs
}

func projectOf(p apiclient.Project) surgical.Project {
	project := surgical.Project{ID: p.ProjectID, Known: true, Path: p.Path, CompleteAsOf: p.CompleteAsOf, CompleteExcept: p.CompleteExcept, HiddenAt: p.HiddenAt, UnseenSince: p.UnseenSince}
	if u := p.Unreadable; u != nil {
		project.Unreadable = surgical.Unreadable{Records: u.Records, At: u.ListedAt}
	}
	if c := p.Counts; c != nil {
		project.Counts = surgical.ProjectCounts{Issues: c.Issues, MergeRequests: c.MergeRequests, At: c.CountedAt}
	}
	if h := p.Hook; h != nil {
		project.Hook = surgical.HookCheck{State: h.State, ID: h.HookID, Reason: h.Reason, CheckedAt: h.CheckedAt, Findings: h.Findings}
	}
	if l := p.LastReconcile; l != nil {
		project.LastReconcile = surgical.Reconciled{BeganAt: l.BeganAt, EndedAt: l.EndedAt, Listed: l.Listed, Different: l.Different, Missed: l.Missed, Requests: l.Requests}
	}
	if c := p.LastCensus; c != nil {
		project.LastCensus = surgical.Censused{BeganAt: c.BeganAt, EndedAt: c.EndedAt, Listed: c.Listed, Fetched: c.Fetched, Failed: c.Failed, Requests: c.Requests, Found: c.Found}
	}
	return project
}

func behindOf(b *apiclient.DocumentsBehind) *surgical.Behind {
	if b == nil {
		return nil
	}
	return &surgical.Behind{Since: b.Since, All: b.All, Changes: b.Changes, State: b.State, RunID: b.RunID, Code: b.Code, Reason: b.Reason, NextAt: b.NextTryAt}
}
