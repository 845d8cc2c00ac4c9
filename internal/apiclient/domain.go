package apiclient

import (
	"encoding/json"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Domain returns the run as the domain has it, as far as the API returns it.
func (r Run) Domain() surgical.Run {
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

// Rows returns the outcomes of the targets as the domain has them.
func (r Run) Rows() []surgical.EntityRow {
	var rows []surgical.EntityRow
	for _, e := range r.Entities {
		rows = append(rows, surgical.EntityRow{
			RunID: r.RunID, Ref: surgical.EntityRef{ProjectID: r.ProjectID, Target: e.Target}, Stage: e.Stage, Status: e.Status, Code: e.Code, Message: e.Message, Warnings: e.Warnings,
		})
	}
	return rows
}

// Undone reports whether jobs of the run were left undone.
func (r Run) Undone() bool {
	for _, counts := range r.Jobs {
		if counts[string(surgical.JobAborted)]+counts[string(surgical.JobFailed)] > 0 {
			return true
		}
	}
	return false
}
