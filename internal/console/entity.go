package console

import (
	"cmp"
	"context"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// entityView shows one entity: whether its documents are current, and its runs.
type entityView struct {
	Name    string
	Project link
	// Behind is nil if documents and embeddings are current.
	Behind *behindView
	// Open are the runs that have not ended, Rows those that have.
	Open, Rows  []runRow
	First, Next *link
	Todo        []advice.Step
}

// fact is a name with its value.
type fact struct {
	Name, Value string
	Moment      moment
	Link        *link
}

func (r reader) entity(ctx context.Context, f frame, q Query) (*entityView, error) {
	v := &entityView{Name: named(q.Ref.Target), Project: f.toProject(q.Ref.ProjectID), Todo: []advice.Step{
		{Text: "Bring the copy up to date.", Command: advice.Sync(q.Ref)}, {Text: "Show the copy.", Command: advice.Show(q.Ref)},
	}}
	runs, next, err := r.ledger.ListOfEntity(ctx, q.Ref, q.From, cmp.Or(q.Limit, listLimit))
	if err != nil {
		return nil, err
	}
	var open []surgical.Run
	if q.From.IsZero() {
		if open, err = r.openOf(ctx, q.Ref); err != nil {
			return nil, err
		}
	}
	late, err := r.ledger.Behind(ctx, q.Ref)
	if err != nil {
		return nil, err
	}
	if v.Behind = f.behind(late); late != nil && (late.State == surgical.BehindWaiting || late.State == surgical.BehindHeldBack) {
		v.Todo = append(v.Todo, advice.Step{Text: "Once the cause is removed, make what failed runs of the project left undone.", Command: advice.Drain(q.Ref.ProjectID)})
	}
	v.Open, v.Rows = f.rows(open, nil), f.rows(runs, nil)
	v.First, v.Next = f.pages(q, next)
	return v, nil
}

// behindView says that the entity's documents or embeddings are older than its copy.
type behindView struct {
	Since moment
	// By is how much, Why the reason, and Next what happens next.
	By, Code, Why, Next string
	// NextAt is when that is due, if it is known.
	NextAt moment
	Run    link
}

func (f frame) behind(b *surgical.Behind) *behindView {
	if b == nil {
		return nil
	}
	return &behindView{
		Since: f.moment(b.Since), By: b.By(), Code: string(b.Code), Why: plaintext.Line(b.Reason), NextAt: f.moment(b.NextAt), Run: f.toRun(b.RunID),
		Next: map[surgical.BehindState]string{
			surgical.BehindRunning:   "The run is in progress.",
			surgical.BehindPostponed: "The run is resumed at",
			surgical.BehindWaiting:   "The next run of this entity makes them, or a drain at",
			surgical.BehindHeldBack:  "They are held back until the embedder works again, or a drain is requested.",
		}[b.State],
	}
}

// openOf returns the entity's open runs, among the oldest open runs of all.
func (r reader) openOf(ctx context.Context, ref surgical.EntityRef) ([]surgical.Run, error) {
	runs, _, err := r.open(ctx, ref.ProjectID)
	var own []surgical.Run
	for _, run := range runs {
		for _, target := range run.Targets {
			if target == ref.Target {
				own = append(own, run)
			}
		}
	}
	return own, err
}
