package console

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// runs lists runs, newest first.
func (s *site) runs(ctx context.Context, v visit) (sheet, error) {
	q, err := parameters{"view": string(ViewRuns), "status": v.text("status"), "project_id": v.text("project_id")}.query()
	if err != nil {
		return sheet{}, err
	}
	list, err := s.API.Runs(ctx, apiclient.Filter{ProjectID: q.ProjectID, Status: q.Status, Limit: listLimit, Cursor: v.text("cursor")})
	if err != nil {
		return sheet{}, err
	}
	f := v.frame
	f.period = periodNamed("any").phrase()
	view := f.runsForm(q)
	view.Rows = f.rows(runsOf(list.Value.Runs), nil)
	parameters := url.Values{"status": {string(q.Status)}, "project_id": {v.text("project_id")}}
	if v.text("cursor") != "" {
		view.First = &link{Text: "Newest runs", Href: path("/runs", without(parameters))}
	}
	if next := list.Value.NextCursor; next != "" {
		parameters.Set("cursor", next)
		view.Next = &link{Text: "Older runs", Href: path("/runs", parameters)}
	}
	return sheet{Title: "Runs", Runs: view}, nil
}

// run shows a run. While it is open, the page loads itself again.
func (s *site) run(ctx context.Context, v visit) (sheet, error) {
	answer, err := s.API.Run(ctx, v.PathValue("run"))
	if err != nil {
		return sheet{}, err
	}
	run, rows := answer.Value.Domain(), answer.Value.Rows()
	chain, err := chainOf(ctx, run, func(ctx context.Context, id string) (surgical.Run, error) {
		other, err := s.API.Run(ctx, id)
		return other.Value.Domain(), err
	})
	if err != nil {
		return sheet{}, err
	}
	view := v.frame.run(run, rows, s.titles(ctx, run))
	view.Todo, view.Chain, view.JobCounts = advice.OfRun(run, rows, answer.Value.Undone()), v.frame.chain(run, chain), jobFacts(answer.Value)
	here := Query{View: ViewRun, RunID: run.RunID}.path()
	if retryable(answer.Value) {
		view.Retry = &link{Text: "Retry", Href: here + "/retry", Class: "lh-button"}
	}
	p := sheet{Title: "Run", Run: view}
	if !run.Status.Terminal() {
		p.Live, p.Pace = pace(v.now.Sub(run.BegunAt())), &link{Text: "Stop updating", Href: here + "?still=1"}
		if v.text("still") != "" {
			p.Live, p.Pace = 0, &link{Text: "Update by itself", Href: here}
		}
	}
	return p, nil
}

// pace returns after how many seconds the page of a run that has been open for so long is
// loaded again.
func pace(open time.Duration) int {
	switch {
	case open < time.Minute:
		return 2
	case open < 10*time.Minute:
		return 5
	}
	return 30
}

// titledTargets is of how many targets the page of a run shows the titles.
const titledTargets = 5

// titles reads the titles of the run's first targets. What cannot be read has none.
func (s *site) titles(ctx context.Context, run surgical.Run) titles {
	known := titles{}
	for _, ref := range run.Refs()[:min(len(run.Targets), titledTargets)] {
		if entity, err := s.API.EntityFields(ctx, ref, "title,confidential"); err == nil {
			known[ref] = titled{entity.Value.Title, entity.Value.Confidential}
		}
	}
	return known
}

func jobFacts(run apiclient.Run) []fact {
	var facts []fact
	for _, stage := range slices.Sorted(maps.Keys(run.Jobs)) {
		for _, status := range slices.Sorted(maps.Keys(run.Jobs[stage])) {
			facts = append(facts, fact{Name: stage + ", " + status, Value: strconv.Itoa(run.Jobs[stage][status])})
		}
	}
	return facts
}

// retryable reports whether a retry of the run has anything to do.
func retryable(run apiclient.Run) bool {
	return (run.Status == surgical.StatusFailed || run.Status == surgical.StatusCancelled) && run.RetriedBy == "" && advice.CanRetry(run.Rows(), run.Undone())
}

// projects lists the projects and how complete they are.
func (s *site) projects(ctx context.Context, v visit) (sheet, error) {
	list, err := s.API.Projects(ctx, listLimit, v.text("cursor"))
	if err != nil {
		return sheet{}, err
	}
	view := v.projectRows(list.Value)
	if v.text("cursor") != "" {
		view.First = &link{Text: "First projects", Href: "/projects"}
	}
	if next := list.Value.NextCursor; next != "" {
		view.Next = &link{Text: "More projects", Href: path("/projects", url.Values{"cursor": {next}})}
	}
	return sheet{Title: "Projects", Projects: &view}, nil
}

// project shows what is known of a project.
func (s *site) project(ctx context.Context, v visit) (sheet, error) {
	id, err := v.projectID()
	if err != nil {
		return sheet{}, err
	}
	p, err := s.API.Project(ctx, id)
	if err != nil {
		return sheet{}, err
	}
	runs, err := s.API.Runs(ctx, apiclient.Filter{ProjectID: id, Limit: overviewLimit})
	if err != nil {
		return sheet{}, err
	}
	view := v.frame.project(projectOf(p.Value), runsOf(runs.Value.Runs))
	view.Lists = []link{
		{Text: "Issues", Href: listPath(id, surgical.Issue)}, {Text: "Merge requests", Href: listPath(id, surgical.MergeRequest)},
		{Text: "Search in it", Href: path("/", url.Values{"project": {strconv.FormatInt(id, 10)}})},
	}
	return sheet{Title: fmt.Sprintf("Project %d", id), Project: view}, nil
}
