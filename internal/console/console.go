package console

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Ledger is what the console reads of the run ledger.
type Ledger interface {
	// Run reads a run; an unknown one gives [surgical.CodeRunNotFound].
	Run(ctx context.Context, runID string) (surgical.Run, error)
	// Entities lists what became of the targets of a terminal run, Jobs its jobs.
	Entities(ctx context.Context, runID string) ([]surgical.EntityRow, error)
	Jobs(ctx context.Context, runID string) ([]surgical.Job, error)
	// List and ListOfEntity return runs newest first, Open those that have not
	// ended, the longest open first.
	List(ctx context.Context, filter ledger.RunFilter, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	ListOfEntity(ctx context.Context, ref surgical.EntityRef, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	Open(ctx context.Context, most int) (runs []surgical.Run, more bool, err error)
	// Count counts runs up to most.
	Count(ctx context.Context, status surgical.RunStatus, made ledger.Span, most int) (n int, more bool, err error)
	// Outcomes returns what became of each entity in the run that ended last.
	Outcomes(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.EntityRow, error)
	// Pause returns until when no worker may ask GitLab.
	Pause(ctx context.Context) (time.Time, error)
}

// Store is what the console reads of the content plane.
type Store interface {
	// Heads returns the heads of the entities; those without one are left out.
	Heads(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error)
	// Stored counts what the store holds of the entity.
	Stored(ctx context.Context, ref surgical.EntityRef) (content.Stored, error)
}

// reader makes pages.
type reader struct {
	ledger Ledger
	// store is nil where nothing of the content may be shown.
	store Store
}

// frame is what one page is made with.
type frame struct {
	now  time.Time
	zone *time.Location
	// made is when the runs were made that the page is about, period the same
	// in words: "in the last hour", "from 10:00 to 12:00".
	made   ledger.Span
	period string
	// endpoint is the function that links call.
	endpoint string
}

// page is what the templates show.
type page struct {
	View    View
	Title   string
	Now     moment
	Zone    string
	Nav     []link
	Refresh link
	// Notices tell what was not done as asked.
	Notices []string
	// Paused is until when no worker asks GitLab; nil for no pause.
	Paused *pause

	Overview *overviewView
	Runs     *runsView
	Run      *runView
	Entity   *entityView
	Problem  *problemView
}

// pause is shown while all workers wait.
type pause struct {
	Until moment
	Left  string
}

// page reads what the query asks for. A failure becomes a page, too; it is
// returned for the log.
func (r reader) page(ctx context.Context, f frame, q Query) (page, error) {
	p := f.blank(q)
	until, err := r.ledger.Pause(ctx)
	if err == nil {
		if until.After(f.now) {
			p.Paused = &pause{Until: f.moment(until), Left: roughly(until.Sub(f.now))}
		}
		switch q.View {
		case ViewRuns:
			p.Runs, err = r.runs(ctx, f, q)
			p.Title = "Runs"
		case ViewRun:
			p.Run, err = r.run(ctx, f, q.RunID)
			p.Title = "Run"
		case ViewEntity:
			p.Entity, err = r.entity(ctx, f, q)
			p.Title = named(q.Ref.Target)
		default:
			p.Overview, err = r.overview(ctx, f, q)
			p.Title = "Overview"
		}
	}
	if err != nil {
		return f.problem(q, err), err
	}
	return p, nil
}

// blank is a page without anything on it.
func (f frame) blank(q Query) page {
	return page{
		View: q.View, Now: f.moment(f.now), Zone: f.zoneName(), Refresh: f.to("Refresh", q),
		Nav: []link{
			f.to("Overview", Query{View: ViewOverview, ProjectID: projectOfLists(q)}).current(q.View == ViewOverview),
			f.to("Runs", Query{View: ViewRuns, ProjectID: projectOfLists(q)}).current(q.View == ViewRuns),
		},
	}
}

// projectOfLists is the project that lists are restricted to.
func projectOfLists(q Query) int64 {
	if q.View == ViewOverview || q.View == ViewRuns {
		return q.ProjectID
	}
	return 0
}
