package console

import (
	"context"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// homeView is the first page: the search box, the projects with how complete they are, and
// the newest runs.
type homeView struct {
	Form     searchForm
	Projects projectsView
	Rows     []runRow
	AllRuns  link
}

const (
	// homeRuns is how many runs the first page shows, and knownProjects how many projects
	// are offered for a choice.
	homeRuns      = 6
	knownProjects = 100
)

func (s *site) home(ctx context.Context, v visit) (sheet, error) {
	var projects apiclient.Answer[apiclient.ProjectList]
	var runs apiclient.Answer[apiclient.RunList]
	group, ctx := parallel.WithContext(ctx)
	group.Go(func() (err error) {
		projects, err = s.API.Projects(ctx, knownProjects, "")
		return err
	})
	group.Go(func() (err error) {
		runs, err = s.API.Runs(ctx, apiclient.Filter{Limit: homeRuns})
		return err
	})
	if err := group.Wait(); err != nil {
		return sheet{}, err
	}
	view := &homeView{Form: v.searchForm(projects.Value), Rows: v.rows(runsOf(runs.Value.Runs), nil), AllRuns: link{Text: "All runs", Href: "/runs"}}
	view.Projects = v.projectRows(projects.Value)
	if projects.Value.NextCursor != "" {
		view.Projects.Next = &link{Text: "All projects", Href: "/projects"}
	}
	return sheet{Title: "Search", Home: view}, nil
}

// projectRows are the rows of a list of projects, each with links to its lists.
func (f frame) projectRows(list apiclient.ProjectList) projectsView {
	var view projectsView
	for _, p := range list.Projects {
		row := f.projectRow(projectOf(p))
		row.IssueList = &link{Text: strings.TrimSpace(row.Issues), Href: listPath(p.ProjectID, surgical.Issue)}
		row.MergeRequestList = &link{Text: strings.TrimSpace(row.MergeRequests), Href: listPath(p.ProjectID, surgical.MergeRequest)}
		if row.Issues == "" {
			row.IssueList.Text, row.MergeRequestList.Text = "issues", "merge requests"
		}
		view.Rows = append(view.Rows, row)
	}
	return view
}

func listPath(projectID int64, t surgical.EntityType) string {
	return fmt.Sprintf("/projects/%d/%ss", projectID, t)
}
