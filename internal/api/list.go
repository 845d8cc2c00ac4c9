package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// RunList is a page of a list of runs.
type RunList struct {
	Runs       []RunSummary `json:"runs" nullable:"false" doc:"Newest first. A page may hold fewer than limit, even none, and still have a next page."`
	NextCursor string       `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

// PageInput is how much of a list to read, and where to start.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"Maximum number of items."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"The next_cursor of the previous page."`
}

type listInput struct {
	ProjectID int64              `query:"project_id" minimum:"1" maximum:"9007199254740991" example:"1" doc:"Only runs of this project."`
	Project   projectRef         `query:"project" example:"group/project" doc:"Only runs of the project with this id or path. Excludes project_id."`
	Status    surgical.RunStatus `query:"status" enum:"queued,running,succeeded,failed,cancelled" doc:"Only runs with this status."`
	PageInput
}

func (s *server) addLists(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "list-sync-runs", Method: http.MethodGet, Path: "/v1/sync-runs", Tags: []string{"runs"},
		Summary: "List runs", Description: "Newest first, of all projects on the allow list. Use a cursor with the same filters that returned it.",
	}, notAllowed(), noProject()), handle(s.list))
}

// listPlace is where a page of a list of runs begins: after the run. Of is the
// name of the list.
type listPlace struct {
	Of    string `json:"l"`
	At    int64  `json:"t"`
	RunID string `json:"i"`
}

// listFrom returns the place that the cursor encodes.
func listFrom(cursor, of string) (ledger.RunPlace, error) {
	if cursor == "" {
		return ledger.RunPlace{}, nil
	}
	place, err := decodeCursor(cursor, func(p listPlace) bool { return p.Of == of && p.RunID != "" })
	return ledger.RunPlace{At: time.UnixMicro(place.At), RunID: place.RunID}, err
}

func runList(runs []surgical.Run, of string, next ledger.RunPlace) (*answer[RunList], error) {
	list := RunList{Runs: []RunSummary{}}
	for _, run := range runs {
		list.Runs = append(list.Runs, summaryOf(run))
	}
	if next.IsZero() {
		return &answer[RunList]{list}, nil
	}
	var err error
	list.NextCursor, err = encodeCursor(listPlace{Of: of, At: next.At.UnixMicro(), RunID: next.RunID})
	return &answer[RunList]{list}, err
}

func (s *server) list(ctx context.Context, in *listInput) (*answer[RunList], error) {
	projectID, err := s.listedProject(ctx, in)
	if err != nil {
		return nil, err
	}
	filter := ledger.RunFilter{ProjectID: projectID}
	if in.Status != "" {
		filter.Statuses = []surgical.RunStatus{in.Status}
	}
	of := listName("runs", projectID, string(in.Status))
	from, err := listFrom(in.Cursor, of)
	if err != nil {
		return nil, err
	}
	runs, next, err := s.Runs.List(ctx, filter, from, in.Limit)
	if err != nil {
		return nil, err
	}
	runs = slices.DeleteFunc(runs, func(run surgical.Run) bool { return !s.Allows(run.ProjectID) })
	return runList(runs, of, next)
}

// listedProject returns the project that the list is restricted to, or 0.
func (s *server) listedProject(ctx context.Context, in *listInput) (int64, error) {
	switch {
	case in.Project != "" && in.ProjectID != 0:
		return 0, invalid("query.project", string(in.Project), "project and project_id exclude each other")
	case in.Project != "":
		return s.project(ctx, "query.project", in.Project)
	case in.ProjectID != 0:
		return in.ProjectID, s.allowed(in.ProjectID)
	}
	return 0, nil
}

// listOfEntity begins with the runs that have not ended.
func (s *server) listOfEntity(ctx context.Context, ref surgical.EntityRef, page PageInput) (*answer[RunList], error) {
	of := listName("entity", ref.ProjectID, ref.Target.String())
	from, err := listFrom(page.Cursor, of)
	if err != nil {
		return nil, err
	}
	runs, next, err := s.Runs.ListOfEntity(ctx, ref, from, page.Limit)
	if err != nil {
		return nil, err
	}
	if from.IsZero() {
		open, err := s.openRuns(ctx, ref.ProjectID, []surgical.Target{ref.Target})
		if err != nil {
			return nil, err
		}
		runs = slices.Concat(open, runs)
	}
	return runList(runs, of, next)
}
