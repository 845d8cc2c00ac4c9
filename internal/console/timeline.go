package console

import (
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// timeline shows where a run's time went.
type timeline struct {
	Steps []step
	// Half and Whole label the axis.
	Half, Whole string
}

// step is one row of the timeline: a stage, or a wait between two.
type step struct {
	Name string
	// Tone is of the bar: wait, work, bad or busy.
	Tone string
	// X and Width are percentages of the whole run.
	X, Width string
	// Reached tells a step that began from one that has not, or never will.
	Reached bool
	Began   moment
	// After is from the run's beginning to this step's, Took the step's length.
	After, Took string
	Note        string
}

// leastWidth keeps the bar of a short step visible.
const leastWidth = 0.6

// span is a step before it is drawn.
type span struct {
	name, tone, note string
	from, to         time.Time
}

// timeline draws the run up to now, or to its end.
func (f frame) timeline(run surgical.Run) timeline {
	begin, end := begun(run), run.FinishedAt
	if end.IsZero() {
		end = f.now
	}
	whole := max(end.Sub(begin), time.Microsecond)
	t := timeline{Half: took(whole / 2), Whole: took(whole)}
	for _, s := range spans(run, begin, end) {
		row := step{Name: s.name, Tone: s.tone, Note: s.note}
		if !s.from.IsZero() {
			x := 100 * float64(s.from.Sub(begin)) / float64(whole)
			width := max(leastWidth, 100*float64(s.to.Sub(s.from))/float64(whole))
			x = min(max(0, x), 100-leastWidth)
			width = min(width, 100-x)
			row.X, row.Width = fmt.Sprintf("%.2f", x), fmt.Sprintf("%.2f", width)
			row.Reached, row.Began = true, f.moment(s.from)
			row.After, row.Took = "+"+took(s.from.Sub(begin)), took(s.to.Sub(s.from))
		}
		t.Steps = append(t.Steps, row)
	}
	return t
}

// begun is when the run's event came, or its row was made.
func begun(run surgical.Run) time.Time {
	if run.EventAt.IsZero() || run.EventAt.After(run.CreatedAt) {
		return run.CreatedAt
	}
	return run.EventAt
}

// spans are the run's steps in their order.
func spans(run surgical.Run, begin, end time.Time) []span {
	m := run.Marks
	queue := span{name: "Queue", tone: "wait", from: begin, to: end, note: "waits for a worker"}
	if !run.FirstClaimedAt.IsZero() {
		queue.to, queue.note = run.FirstClaimedAt, "settle time and queue"
	}
	all := []span{queue}
	if run.Attempt > 1 && m.PreflightStarted.After(run.FirstClaimedAt) {
		all = append(all, span{name: "Earlier attempts", tone: "wait", from: run.FirstClaimedAt, to: m.PreflightStarted,
			note: fmt.Sprintf("%d, with the waits between them", run.Attempt-1)})
	}
	all = append(all, preflight(run, end), stage(run, surgical.StageIngest, m.IngestStarted, m.Committed, end))
	if run.Committed() && !m.DocsStarted.IsZero() {
		all = append(all, span{name: "Hand-over", tone: "wait", from: m.Committed, to: m.DocsStarted, note: "the workflow starts"})
	}
	all = append(all, stage(run, surgical.StageDocs, m.DocsStarted, m.DocsEnded, end), stage(run, surgical.StageEmbed, m.EmbedStarted, m.EmbedEnded, end))
	return all
}

// preflight ends where ingest begins; else with the run.
func preflight(run surgical.Run, end time.Time) span {
	m := run.Marks
	if run.CoalescedWith != "" {
		return span{name: "Preflight", note: "not needed: another run's fetch covers the event"}
	}
	ended := m.IngestStarted
	if ended.Before(m.PreflightStarted) {
		ended = time.Time{} // of an earlier attempt
	}
	if ended.IsZero() && run.Origin != surgical.OriginDrain {
		ended = run.FinishedAt
	}
	return stage(run, surgical.StagePreflight, m.PreflightStarted, ended, end)
}

// stage is one of the four stages; one that has not ended goes on to the end
// of what is drawn.
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
			s.tone, s.note = "wait", "waits for the next attempt"
		}
	}
	if here && run.Status != surgical.StatusSucceeded || to.Before(from) {
		s.to = end
	}
	return s
}

// absent says why a stage has no bar.
func absent(run surgical.Run, name surgical.Stage) string {
	switch o := run.Options; {
	case run.Origin == surgical.OriginDrain && (name == surgical.StagePreflight || name == surgical.StageIngest):
		return "not needed: takes over what earlier runs left undone"
	case o.PreflightOnly && name != surgical.StagePreflight:
		return "left out (preflight_only)"
	case o.NoDocs && name == surgical.StageDocs:
		return "left out (no_docs)"
	case o.NoEmbed && name == surgical.StageEmbed:
		return "left out (no_embed)"
	case !run.Status.Terminal():
		return "to come"
	case run.Status == surgical.StatusSucceeded:
		return "nothing to do"
	}
	return "not reached"
}
