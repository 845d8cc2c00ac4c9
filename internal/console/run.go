package console

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// runView shows one run.
type runView struct {
	ID      string
	Project link
	Status  mark
	// Headline summarizes the run in one sentence.
	Headline string
	Facts    []fact
	Timeline timeline
	// Problem is why the run failed or waits.
	Problem *runProblem
	Todo    []advice.Step
	// Retry leads to the retry of what failed; nil in the widget, and if nothing can be
	// retried.
	Retry   *link
	Targets []targetRow
	Jobs    []jobRow
	// JobCounts count the jobs by stage and status, where the single ones are not known.
	JobCounts []fact
	// Counters are the run's counters.
	Counters []fact
	// Chain is the run with its retries, in order; empty without retries.
	Chain []chainLink
}

type runProblem struct {
	// Waits means that the run is waiting and has not failed.
	Waits         bool
	Code, Message string
	Remedy        string
	Retryable     bool
	Failures      []failureRow
}

type failureRow struct {
	Target        targetRef
	Code, Message string
	Remedy        string
}

type targetRow struct {
	Target        targetRef
	Outcome       mark
	Code, Message string
	// Warnings name the records that documents show incompletely or not at all.
	Warnings []string
	// Change describes the commit's effect on the copy.
	Change string
}

type jobRow struct {
	Stage    string
	Target   targetRef
	Status   mark
	Attempts string
	// Work describes what the job has done so far.
	Work string
}

func (r reader) run(ctx context.Context, f frame, id string) (*runView, error) {
	run, err := r.ledger.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	var rows []surgical.EntityRow
	if run.Status.Terminal() {
		if rows, err = r.ledger.Entities(ctx, id); err != nil {
			return nil, err
		}
	}
	var jobs []surgical.Job
	if run.JobsInserted > 0 {
		if jobs, err = r.ledger.Jobs(ctx, id); err != nil {
			return nil, err
		}
	}
	chain, err := chainOf(ctx, run, r.ledger.Run)
	if err != nil {
		return nil, err
	}
	view := f.run(run, rows, nil)
	view.Todo, view.Jobs, view.Chain = advice.OfRun(run, rows, undone(jobs)), f.jobRows(jobs), f.chain(run, chain)
	return view, nil
}

// run returns what a run's row and those of its targets show.
func (f frame) run(run surgical.Run, rows []surgical.EntityRow, known titles) *runView {
	return &runView{
		ID: run.RunID, Project: f.toProject(run.ProjectID), Status: markOf(run.Status), Headline: f.headline(run), Facts: f.facts(run), Timeline: f.timeline(run),
		Problem: f.runProblem(run, known), Targets: f.targetRows(run, rows, known), Counters: counters(run),
	}
}

// headline summarizes the run in one sentence.
func (f frame) headline(run surgical.Run) string {
	whole, targets := duration.Text(f.lasted(run)), count(len(run.Targets), false, "entity")
	visible := ""
	if !run.Marks.Committed.IsZero() {
		visible = ", visible after " + duration.Text(run.Marks.Committed.Sub(run.BegunAt()))
	}
	switch {
	case run.Status == surgical.StatusQueued:
		return fmt.Sprintf("Has been waiting for a worker for %s; %s.", whole, targets)
	case run.Status == surgical.StatusRunning && run.LeaseUntil.IsZero() && run.Error != nil && !run.Committed():
		return fmt.Sprintf("Waiting for its next attempt after %s; open for %s.", count(int(run.FailedAttempts), false, "failed attempt"), whole)
	case run.Status == surgical.StatusRunning:
		return fmt.Sprintf("Open for %s, now in %s; %s%s.", whole, run.Stage, targets, visible)
	case run.CoalescedWith != "":
		return fmt.Sprintf("No request to GitLab was needed, because another run's fetch covers the event. Ended after %s.", whole)
	case run.Status == surgical.StatusSucceeded:
		return fmt.Sprintf("Brought %s up to date in %s%s.", targets, whole, visible)
	case run.Status == surgical.StatusCancelled:
		return fmt.Sprintf("Cancelled in %s after %s%s.", stageWord(run), whole, visible)
	case run.Committed():
		return fmt.Sprintf("Failed in %s after %s. The copy is current%s, but its documents or embeddings are not.", stageWord(run), whole, visible)
	}
	return fmt.Sprintf("Failed in %s after %s. Nothing was written.", stageWord(run), whole)
}

func stageWord(run surgical.Run) string {
	if run.Stage == "" {
		return "the queue"
	}
	return string(run.Stage)
}

func (f frame) facts(run surgical.Run) []fact {
	facts := []fact{
		{Name: "Origin", Value: string(run.Origin)},
		{Name: "Event", Moment: f.moment(run.BegunAt())},
	}
	if !run.FinishedAt.IsZero() {
		facts = append(facts, fact{Name: "Ended", Moment: f.moment(run.FinishedAt)})
	}
	if run.Attempt > 0 {
		facts = append(facts, fact{Name: "Attempts", Value: attempts(run)})
	}
	if options := optionWords(run.Options); options != "" {
		facts = append(facts, fact{Name: "Options", Value: options})
	}
	if run.BehindEvent {
		facts = append(facts, fact{Name: "Behind its event", Value: "GitLab's answer was older than the event, or lacked a comment. It is fetched again within minutes."})
	}
	if run.CoalescedWith != "" {
		other := f.toRun(run.CoalescedWith)
		facts = append(facts, fact{Name: "Covered by", Link: &other})
	}
	return facts
}

func attempts(run surgical.Run) string {
	text := fmt.Sprint(run.Attempt)
	var how []string
	if run.FailedAttempts > 0 {
		how = append(how, fmt.Sprintf("%d failed", run.FailedAttempts))
	}
	if run.LostLeases > 0 {
		how = append(how, fmt.Sprintf("%d lost", run.LostLeases))
	}
	if len(how) > 0 {
		text += ", " + strings.Join(how, ", ")
	}
	return text
}

func optionWords(o surgical.Options) string {
	var words []string
	for _, option := range []struct {
		set  bool
		word string
	}{{o.PreflightOnly, "preflight_only"}, {o.DryRun, "dry_run"}, {o.NoDocs, "no_docs"}, {o.NoEmbed, "no_embed"}} {
		if option.set {
			words = append(words, option.word)
		}
	}
	return strings.Join(words, ", ")
}

func (f frame) runProblem(run surgical.Run, known titles) *runProblem {
	e := run.Error
	if e == nil {
		return nil
	}
	p := &runProblem{
		Waits: !run.Status.Terminal(), Code: string(e.Code), Message: plaintext.Line(e.Message), Remedy: advice.Remedy(e.Action), Retryable: e.Retryable,
	}
	for _, failure := range e.Failures {
		p.Failures = append(p.Failures, failureRow{
			Target: f.target(surgical.EntityRef{ProjectID: run.ProjectID, Target: failure.Target}, known),
			Code:   string(failure.Code), Message: plaintext.Line(failure.Message), Remedy: advice.Remedy(failure.Action),
		})
	}
	return p
}

// targetRows returns the run's targets in order, with the outcome of each.
func (f frame) targetRows(run surgical.Run, rows []surgical.EntityRow, known titles) []targetRow {
	ended := map[surgical.EntityRef]surgical.EntityRow{}
	for _, row := range rows {
		ended[row.Ref] = row
	}
	var all []targetRow
	for _, ref := range run.Refs() {
		target := targetRow{Target: f.target(ref, known), Outcome: mark{"open", "idle", "ring"}}
		outcome, committed := run.Outcomes[ref.Target]
		if committed {
			target.Outcome, target.Change = markOfEntity(outcome.Status), change(outcome)
		}
		if row, ok := ended[ref]; ok {
			target.Outcome, target.Code, target.Message = markOfRow(row), string(row.Code), plaintext.Line(row.Message)
			for _, warning := range row.Warnings {
				target.Warnings = append(target.Warnings, plaintext.Line(warning))
			}
		}
		if preview, ok := run.Previews[ref.Target]; ok {
			target.Change = fmt.Sprintf("found %s, %s, %s", count(preview.Discussions, false, "discussion"),
				count(preview.Events, false, "event"), sized(preview.Bytes))
		}
		all = append(all, target)
	}
	return all
}

func change(o surgical.Outcome) string {
	switch {
	case o.Status == surgical.EntitySkippedStale, o.Revision == 0:
		return ""
	case o.Changed:
		return fmt.Sprintf("revision %d", o.Revision)
	}
	return fmt.Sprintf("revision %d, no changes", o.Revision)
}

func sized(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f KB", float64(n)/1024)
}

func (f frame) jobRows(jobs []surgical.Job) []jobRow {
	var rows []jobRow
	for _, job := range jobs {
		row := jobRow{
			Stage: string(job.Type), Target: f.target(job.Ref, nil), Status: markOfJob(job.Status), Attempts: fmt.Sprint(job.Attempts),
		}
		if job.Type == surgical.JobDocs {
			row.Work = fmt.Sprintf("%s written, %d to embed", count(int(job.DocumentsWritten), false, "document"), job.RegeneratedCount)
		} else {
			row.Work = count(int(job.ChunksEmbedded), false, "chunk") + " embedded"
		}
		if job.AbortedReason != "" {
			row.Work = "aborted because of " + plaintext.Line(job.AbortedReason)
		}
		rows = append(rows, row)
	}
	return rows
}

func counters(run surgical.Run) []fact {
	c := run.Counters
	var facts []fact
	for _, counter := range []struct {
		name string
		n    int64
	}{
		{"Requests to GitLab", c.GitLabRequests}, {"Items written", c.ChildrenWritten}, {"Content write units", c.ContentWriteUnits},
		{"Documents written", c.DocumentsWritten}, {"Documents to embed", c.DocumentsRegenerated}, {"Chunks embedded", c.ChunksEmbedded},
		{"Jobs aborted", c.JobsAborted},
	} {
		facts = append(facts, fact{Name: counter.name, Value: number(int(counter.n), false)})
	}
	return facts
}

// undone reports whether jobs were left undone.
func undone(jobs []surgical.Job) bool {
	return slices.ContainsFunc(jobs, func(job surgical.Job) bool {
		return job.Status == surgical.JobAborted || job.Status == surgical.JobFailed
	})
}
