package console

import (
	"context"
	"fmt"
	"iter"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Ledger is the part of the run ledger that the widget reads.
type Ledger interface {
	// Run returns a run, or [surgical.CodeRunNotFound].
	Run(ctx context.Context, runID string) (surgical.Run, error)
	// Entities returns the outcome of each target of a run that ended, Jobs its jobs.
	Entities(ctx context.Context, runID string) ([]surgical.EntityRow, error)
	Jobs(ctx context.Context, runID string) ([]surgical.Job, error)
	// List and ListOfEntity return runs, newest first, and where the next page
	// begins. Open returns runs that have not ended, oldest first.
	List(ctx context.Context, filter ledger.RunFilter, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	ListOfEntity(ctx context.Context, ref surgical.EntityRef, from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)
	Open(ctx context.Context, most int) (runs []surgical.Run, more bool, err error)
	// Count counts runs, but not beyond most.
	Count(ctx context.Context, status surgical.RunStatus, made ledger.Span, most int) (n int, more bool, err error)
	// Outcomes returns each entity's outcome in the run that ended last.
	Outcomes(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.EntityRow, error)
	// Behind says whether the entity's documents or embeddings are older than its copy;
	// nil if they are current.
	Behind(ctx context.Context, ref surgical.EntityRef) (*surgical.Behind, error)
	// Project returns what is known of a project; one without a row is not an error.
	// ProjectsAfter yields those with a row, in the order of their ids.
	Project(ctx context.Context, projectID int64) (surgical.Project, error)
	ProjectsAfter(ctx context.Context, after int64, atOnce int) iter.Seq2[surgical.Project, error]
	// Pause returns the time until which no worker may call GitLab.
	Pause(ctx context.Context) (time.Time, error)
}

// reader builds the widget's pages.
type reader struct{ ledger Ledger }

// frame is the context in which one page is built.
type frame struct {
	now  time.Time
	zone *time.Location
	// made is when the runs on the page were created, period the same in words:
	// "in the last hour", "from 10:00 to 12:00".
	made   ledger.Span
	period string
	// endpoint is the ARN of the function that links invoke; "" in the site.
	endpoint string
}

// page is the data of the templates.
type page struct {
	View    View
	Title   string
	Now     moment
	Zone    string
	Nav     []link
	Refresh link
	// Notices say which parts of the request were ignored.
	Notices []string
	// Paused is set while no worker may call GitLab.
	Paused *pause

	Overview *overviewView
	Runs     *runsView
	Run      *runView
	Entity   *entityView
	Projects *projectsView
	Project  *projectView
	Problem  *problemView
}

// pause is a pause of all workers.
type pause struct {
	Until moment
	Left  string
}

// page builds the page for the query. On failure it returns an error page as well
// as the error.
func (r reader) page(ctx context.Context, f frame, q Query) (page, error) {
	p := f.blank(q)
	until, err := r.ledger.Pause(ctx)
	if err == nil {
		if until.After(f.now) {
			p.Paused = &pause{Until: f.moment(until), Left: duration.Roughly(until.Sub(f.now))}
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
		case ViewProjects:
			p.Projects, err = r.projects(ctx, f, q)
			p.Title = "Projects"
		case ViewProject:
			p.Project, err = r.project(ctx, f, q)
			p.Title = fmt.Sprintf("Project %d", q.ProjectID)
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

// blank returns a page without content.
func (f frame) blank(q Query) page {
	return page{
		View: q.View, Now: f.moment(f.now), Zone: f.zoneName(), Refresh: f.to("Refresh", q),
		Nav: []link{
			f.to("Overview", Query{View: ViewOverview, ProjectID: projectOfLists(q)}).current(q.View == ViewOverview),
			f.to("Runs", Query{View: ViewRuns, ProjectID: projectOfLists(q)}).current(q.View == ViewRuns),
			f.to("Projects", Query{View: ViewProjects}).current(q.View == ViewProjects),
		},
	}
}

// projectOfLists returns the project that lists are restricted to, 0 for all.
func projectOfLists(q Query) int64 {
	if q.View == ViewOverview || q.View == ViewRuns {
		return q.ProjectID
	}
	return 0
}
