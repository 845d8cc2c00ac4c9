package console

import (
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// timeline shows how a run spent its time.
type timeline struct {
	Steps []step
	// Half and Whole label the axis.
	Half, Whole string
}

// step is one row of the timeline: a stage, or a wait between two stages.
type step struct {
	Name string
	// Tone is the colour of the bar: wait, work, bad or busy.
	Tone string
	// X and Width are the position and the width of the bar, in percent.
	X, Width string
	// Reached means that the step has begun.
	Reached bool
	Began   moment
	// After is when the step began, relative to the run, and Took its duration.
	After, Took string
	Note        string
}

// leastWidth is the minimum width of a bar, which keeps short steps visible.
const leastWidth = 0.6

// span is a step before it is laid out.
type span struct {
	name, tone, note string
	from, to         time.Time
}

// timeline lays out the run until it ended, or until now.
func (f frame) timeline(run surgical.Run) timeline {
	begin, end := run.BegunAt(), run.FinishedAt
	if end.IsZero() {
		end = f.now
	}
	whole := max(end.Sub(begin), time.Microsecond)
	t := timeline{Half: duration.Text(whole / 2), Whole: duration.Text(whole)}
	for _, s := range spans(run, begin, end) {
		row := step{Name: s.name, Tone: s.tone, Note: s.note}
		if !s.from.IsZero() {
			x := 100 * float64(s.from.Sub(begin)) / float64(whole)
			width := max(leastWidth, 100*float64(s.to.Sub(s.from))/float64(whole))
			x = min(max(0, x), 100-leastWidth)
			width = min(width, 100-x)
			row.X, row.Width = fmt.Sprintf("%.2f", x), fmt.Sprintf("%.2f", width)
			row.Reached, row.Began = true, f.moment(s.from)
			row.After, row.Took = "+"+duration.Text(s.from.Sub(begin)), duration.Text(s.to.Sub(s.from))
		}
		t.Steps = append(t.Steps, row)
	}
	return t
}

// spans returns the run's steps in order.
func spans(run surgical.Run, begin, end time.Time) []span {
	m := run.Marks
	queue := span{name: "Queue", tone: "wait", from: begin, to: end, note: "waiting for a worker"}
	if !run.FirstClaimedAt.IsZero() {
		queue.to, queue.note = run.FirstClaimedAt, "settle time and queue"
	}
	all := []span{queue}
	if run.Attempt > 1 && m.PreflightStarted.After(run.FirstClaimedAt) {
		all = append(all, span{name: "Earlier attempts", tone: "wait", from: run.FirstClaimedAt, to: m.PreflightStarted,
			note: fmt.Sprintf("%d, including the waits in between", run.Attempt-1)})
	}
	all = append(all, preflight(run, end), stage(run, surgical.StageIngest, m.IngestStarted, m.Committed, end))
	if run.Committed() && !m.DocsStarted.IsZero() {
		all = append(all, span{name: "Handover", tone: "wait", from: m.Committed, to: m.DocsStarted, note: "workflow start"})
	}
	all = append(all, stage(run, surgical.StageDocs, m.DocsStarted, m.DocsEnded, end), stage(run, surgical.StageEmbed, m.EmbedStarted, m.EmbedEnded, end))
	return all
}

// preflight ends when ingest begins, or else with the run.
func preflight(run surgical.Run, end time.Time) span {
	m := run.Marks
	if run.CoalescedWith != "" {
		return span{name: "Preflight", note: "not needed: another run's fetch covers the event"}
	}
	ended := m.IngestStarted
	if ended.Before(m.PreflightStarted) {
		ended = time.Time{} // left from an earlier attempt
	}
	if ended.IsZero() && run.Origin != surgical.OriginDrain {
		ended = run.FinishedAt
	}
	return stage(run, surgical.StagePreflight, m.PreflightStarted, ended, end)
}

// stage returns one of the four stages. A stage that has not ended extends to end.
func stage(run surgical.Run, name surgical.Stage, from, to, end time.Time) span {
	s := span{name: map[surgical.Stage]string{
		surgical.StagePreflight: "Preflight", surgical.StageIngest: "Ingest", surgical.StageDocs: "Docs", surgical.StageEmbed: "Embed",
	}[name], tone: "work", from: from, to: to}
	here := run.Stage == name
	switch {
	case from.IsZero() || to.Before(from) && !here:
		s.from, s.to, s.note = time.Time{}, time.Time{}, absent(run, name)
		return s
	case here && run.Status == surgical.StatusFailed:
		s.tone, s.note = "bad", "failed here"
	case here && run.Status == surgical.StatusCancelled:
		s.tone, s.note = "wait", "cancelled here"
	case here && !run.Status.Terminal():
		s.tone, s.note = "busy", "so far"
		if run.LeaseUntil.IsZero() && run.Error != nil && !run.Committed() {
			s.tone, s.note = "wait", "waiting for the next attempt"
		}
	}
	if here && run.Status != surgical.StatusSucceeded || to.Before(from) {
		s.to = end
	}
	return s
}

// absent returns why a stage has no bar.
func absent(run surgical.Run, name surgical.Stage) string {
	switch o := run.Options; {
	case run.Origin == surgical.OriginDrain && (name == surgical.StagePreflight || name == surgical.StageIngest):
		return "not needed: completes what earlier runs left undone"
	case o.PreflightOnly && name != surgical.StagePreflight:
		return "skipped (preflight_only)"
	case o.NoDocs && name == surgical.StageDocs:
		return "skipped (no_docs)"
	case o.NoEmbed && name == surgical.StageEmbed:
		return "skipped (no_embed)"
	case !run.Status.Terminal():
		return "pending"
	case run.Status == surgical.StatusSucceeded:
		return "nothing to do"
	}
	return "not reached"
}
