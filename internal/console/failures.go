package console

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxFailedRuns is how many failed runs are read, and maxFailing how many
	// entities are shown.
	maxFailedRuns = 200
	maxFailing    = 20
)

// failingView lists failures by entity.
type failingView struct {
	Rows []failingRow
	// More counts the entities that are not shown. Partial means that older
	// failures were not read.
	More    int
	Partial bool
}

// failingRow is an entity with failed runs.
type failingRow struct {
	Target   targetRef
	Project  int64
	Failures string
	// Code, Message, Last and Run describe the newest failure.
	Code, Message string
	Last          moment
	Run           link
	// Since is the entity's state since then, as of the run Later.
	Since mark
	Later *link
	Todo  advice.Step
}

// failing is an entity while failures are counted.
type failing struct {
	ref     surgical.EntityRef
	n       int
	failure surgical.TargetFailure
	run     surgical.Run // the newest failed run
	since   mark
	later   string
}

// failing groups failed runs by entity, and looks up each entity's later runs.
func (r reader) failing(ctx context.Context, f frame, runs []surgical.Run, partial bool) (*failingView, error) {
	view := &failingView{Partial: partial}
	entities := byEntity(runs)
	if len(entities) > maxFailing {
		view.More, entities = len(entities)-maxFailing, entities[:maxFailing]
	}
	var refs []surgical.EntityRef
	for _, e := range entities {
		refs = append(refs, e.ref)
	}
	outcomes, err := r.ledger.Outcomes(ctx, refs)
	if err != nil {
		return nil, err
	}
	for _, e := range entities {
		e.judge(outcomes[e.ref])
	}
	slices.SortStableFunc(entities, func(a, b *failing) int { return cmp.Compare(recovered(a), recovered(b)) })
	for _, e := range entities {
		view.Rows = append(view.Rows, f.failingRow(e))
	}
	return view, nil
}

// byEntity counts failures by entity, sorted by count and then by recency. Targets
// that failed only because another target did are not counted.
func byEntity(runs []surgical.Run) []*failing {
	known := map[surgical.EntityRef]*failing{}
	var all []*failing
	for _, run := range runs {
		for _, failure := range culprits(run) {
			ref := surgical.EntityRef{ProjectID: run.ProjectID, Target: failure.Target}
			if known[ref] == nil {
				known[ref] = &failing{ref: ref, failure: failure, run: run}
				all = append(all, known[ref])
			}
			known[ref].n++
		}
	}
	slices.SortStableFunc(all, func(a, b *failing) int { return cmp.Compare(b.n, a.n) })
	return all
}

// culprits returns the failures that a run names. A run that failed as a whole
// counts as a failure of each target.
func culprits(run surgical.Run) []surgical.TargetFailure {
	failures := advice.Failures(run)
	if len(failures) != 1 || failures[0].Type != "" {
		return failures
	}
	all := make([]surgical.TargetFailure, len(run.Targets))
	for i, target := range run.Targets {
		all[i] = failures[0]
		all[i].Target = target
	}
	return all
}

// judge sets the entity's state since its newest failure.
func (e *failing) judge(last surgical.EntityRow) {
	switch {
	case last.RunID != "" && last.RunID != e.run.RunID && last.Status != surgical.EntityFailed && last.UpdatedAt.After(e.run.FinishedAt):
		e.since, e.later = mark{"recovered", "good", "check"}, last.RunID
	case e.run.RetriedBy != "":
		e.since, e.later = mark{"retried", "busy", "disc"}, e.run.RetriedBy
	default:
		e.since = mark{"still failing", "bad", "cross"}
	}
}

func recovered(e *failing) int {
	if e.since.Tone == "good" {
		return 1
	}
	return 0
}

func (f frame) failingRow(e *failing) failingRow {
	row := failingRow{
		Target: f.target(e.ref, nil), Project: e.ref.ProjectID, Failures: number(e.n, false),
		Code: string(e.failure.Code), Message: plaintext.Line(e.failure.Message),
		Last: f.moment(lastOf(e.run)), Run: f.toRun(e.run.RunID), Since: e.since,
	}
	if e.later != "" {
		later := f.toRun(e.later)
		row.Later = &later
	}
	switch {
	case e.since.Tone == "good":
	case e.run.RetriedBy != "":
		row.Todo = advice.Step{Text: "Follow the retry.", Command: advice.Watch(e.run.RetriedBy)}
	case e.failure.Code.CanSucceedLater():
		row.Todo = advice.Step{Text: advice.Remedy(e.failure.Action), Command: advice.Retry(e.run.RunID)}
	default:
		row.Todo = advice.Step{Text: advice.Remedy(e.failure.Action), Command: advice.Try(e.ref.ProjectID, e.ref.Target)}
	}
	return row
}

// lastOf returns when the failed run ended.
func lastOf(run surgical.Run) time.Time {
	if run.FinishedAt.IsZero() {
		return run.CreatedAt
	}
	return run.FinishedAt
}
