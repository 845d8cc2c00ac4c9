package console

import (
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// runRow is a run in a list.
type runRow struct {
	Status  mark
	Stage   string
	Run     link
	Targets []targetRef
	// More counts the targets that are not shown.
	More   int
	Origin string
	Made   moment
	// Took is the time from the event until the run ended, or until now.
	Took string
	// Note is a remark about the run; Code and Message are its error's.
	Note, Code, Message string
	// Other is the run that the note refers to.
	Other *link
	// Waits is what an open run without an error is waiting for.
	Waits string
}

// targetRef is a link to an entity, with its title unless content must not be
// shown.
type targetRef struct {
	Link         link
	Title        string
	Confidential bool
}

// shownTargets is how many targets of each run lists show.
const shownTargets = 3

// titles are what is shown of entities beside their numbers; nil in the widget.
type titles map[surgical.EntityRef]titled

// titled is the title of an entity.
type titled struct {
	Title        string
	Confidential bool
}

func (f frame) target(ref surgical.EntityRef, known titles) targetRef {
	entity := known[ref]
	return targetRef{Link: f.toEntity(ref), Title: plaintext.Line(entity.Title), Confidential: entity.Confidential}
}

func (f frame) rows(runs []surgical.Run, known titles) []runRow {
	rows := make([]runRow, len(runs))
	for i, run := range runs {
		rows[i] = f.row(run, known)
	}
	return rows
}

func (f frame) row(run surgical.Run, known titles) runRow {
	row := runRow{
		Status: markOf(run.Status), Run: f.toRun(run.RunID), Origin: string(run.Origin),
		Made: f.moment(run.CreatedAt), Took: duration.Text(f.lasted(run)),
	}
	if run.Status == surgical.StatusRunning || run.Status == surgical.StatusFailed || run.Status == surgical.StatusCancelled {
		row.Stage = string(run.Stage)
	}
	for i, ref := range run.Refs() {
		if i == shownTargets {
			row.More = len(run.Targets) - shownTargets
			break
		}
		row.Targets = append(row.Targets, f.target(ref, known))
	}
	switch {
	case run.Error == nil && run.Status == surgical.StatusQueued:
		row.Waits = "a worker"
	case run.Error == nil && run.Status == surgical.StatusRunning:
		row.Waits = "nothing, in progress"
	}
	if run.Error != nil {
		row.Code, row.Message = string(run.Error.Code), plaintext.Line(run.Error.Message)
	}
	row.Note, row.Other = f.note(run)
	return row
}

// note returns a remark about a run, and the run that it refers to, if any.
func (f frame) note(run surgical.Run) (string, *link) {
	other := func(id string) *link {
		l := f.toRun(id)
		return &l
	}
	switch {
	case run.RetriedBy != "":
		return "retried by", other(run.RetriedBy)
	case run.RetryOf != "":
		return "retry of", other(run.RetryOf)
	case run.CoalescedWith != "":
		return "covered by", other(run.CoalescedWith)
	case run.Options.PreflightOnly:
		return "preflight only", nil
	}
	skipped, changed := 0, 0
	for _, outcome := range run.Outcomes {
		if outcome.Status == surgical.EntitySkippedStale {
			skipped++
		}
		if outcome.Changed {
			changed++
		}
	}
	switch {
	case skipped == len(run.Targets):
		return "skipped, newer copy exists", nil
	case skipped > 0:
		return fmt.Sprintf("%d of %d skipped", skipped, len(run.Targets)), nil
	case run.Status == surgical.StatusSucceeded && changed == 0 && len(run.Outcomes) > 0:
		return "no changes", nil
	}
	return "", nil
}

// lasted returns the time from the run's event until it ended, or until now.
func (f frame) lasted(run surgical.Run) time.Duration {
	end := run.FinishedAt
	if end.IsZero() {
		end = f.now
	}
	return end.Sub(run.BegunAt())
}
