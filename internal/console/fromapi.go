package console

import (
	"encoding/json"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// What the API returns, as the domain has it: so that site and widget show a run and a
// project in one way.

func runsOf(all []apiclient.Run) []surgical.Run {
	runs := make([]surgical.Run, len(all))
	for i, r := range all {
		runs[i] = runOf(r)
	}
	return runs
}

func runOf(r apiclient.Run) surgical.Run {
	t := r.Times
	run := surgical.Run{
		Request: surgical.Request{RunID: r.RunID, ProjectID: r.ProjectID, Targets: r.Targets, Origin: r.Origin, Options: r.Options, EventAt: t.Begun, RetryOf: r.RetryOf, NotBefore: r.NotBefore},
		Status:  r.Status, Stage: r.Stage, CreatedAt: r.CreatedAt, FirstClaimedAt: r.StartedAt, FinishedAt: r.FinishedAt,
		Attempt: r.Attempts, BehindEvent: r.BehindEvent, CoalescedWith: r.CoalescedWith, RetriedBy: r.RetriedBy,
		Marks: surgical.Marks{
			PreflightStarted: t.PreflightStarted, IngestStarted: t.IngestStarted, Committed: t.Committed,
			DocsStarted: t.DocsStarted, DocsEnded: t.DocsEnded, EmbedStarted: t.EmbedStarted, EmbedEnded: t.EmbedEnded,
		},
	}
	if raw, err := json.Marshal(r.Counters); err == nil {
		_ = json.Unmarshal(raw, &run.Counters) // their names are the same; others are not shown
	}
	switch {
	case r.Error != nil:
		run.Error = r.Error.Err()
	case r.Code != "": // of a list
		run.Error = &surgical.Error{Code: r.Code}
	}
	if !t.Committed.IsZero() {
		run.CommittedBy = r.Attempts
	} else if r.Status == surgical.StatusRunning && run.Error != nil {
		run.FailedAttempts = r.Attempts // it waits for the next one
	}
	for _, e := range r.Entities {
		if e.Preview != nil {
			if run.Previews == nil {
				run.Previews = map[surgical.Target]surgical.Preview{}
			}
			run.Previews[e.Target] = surgical.Preview(*e.Preview)
		}
	}
	return run
}

func rowsOf(r apiclient.Run) []surgical.EntityRow {
	var rows []surgical.EntityRow
	for _, e := range r.Entities {
		rows = append(rows, surgical.EntityRow{
			RunID: r.RunID, Ref: surgical.EntityRef{ProjectID: r.ProjectID, Target: e.Target}, Stage: e.Stage, Status: e.Status, Code: e.Code, Message: e.Message, Warnings: e.Warnings,
		})
	}
	return rows
}

func projectOf(p apiclient.Project) surgical.Project {
	project := surgical.Project{ID: p.ProjectID, Known: true, Path: p.Path, CompleteAsOf: p.CompleteAsOf, HiddenAt: p.HiddenAt, UnseenSince: p.UnseenSince}
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
