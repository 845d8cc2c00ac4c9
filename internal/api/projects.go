package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ProjectList is a page of the list of projects.
type ProjectList struct {
	Projects   []ProjectView `json:"projects" nullable:"false" doc:"In the order of their ids."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

type listProjectsInput struct {
	Path projectRef `query:"path" example:"group/project" doc:"Only the project that has this path, or had it before it was renamed."`
	PageInput
}

func (s *server) addProjects(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "list-projects", Method: http.MethodGet, Path: "/v1/projects", Tags: []string{"projects"},
		Summary:     "List projects",
		Description: "The projects of the allow list. If it allows all projects: those of which anything is known.",
	}, notAllowed(), noProject()), handle(s.listProjects))
	to.add(operationOf(huma.Operation{
		OperationID: "get-project", Method: http.MethodGet, Path: "/v1/projects/{project}", Tags: []string{"projects"},
		Summary:     "Read what is known of a project",
		Description: "Until when its copies are complete, what is hidden, and the last check of its webhook, its last reconcile and its last census.",
	}, notAllowed(), noProject()), handle(s.getProject))
	op := operationOf(huma.Operation{
		OperationID: "hide-projects", Method: http.MethodPost, Path: "/v1/hides", Tags: []string{"projects"},
		Summary: "Hide all copies of a project, or of all projects",
		Description: "Raises `hidden_at` to now: no reader sees a copy whose fetch began earlier. This is not undone; a copy reappears when its entity has been fetched again, for example by a backfill. " +
			"It is for a restore of the tables from a backup: without it, what was deleted since would be visible again.",
		MaxBodyBytes: surgical.MaxAPIBody,
	}, notAllowed(), noProject(),
		refusal{http.StatusBadRequest, surgical.CodeInvalidRequest, "the body is missing or not JSON"},
		refusal{http.StatusUnsupportedMediaType, surgical.CodeInvalidRequest, "the body is not application/json"},
		refusalOf(surgical.CodePayloadTooLarge, "the body is longer than 64 KB"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["200"] = described[HiddenView](schemas, "What is hidden.")
	}
	to.add(op, handle(s.hideProjects))
}

func noProject() refusal {
	return refusalOf(surgical.CodeProjectUnknown, "no such project is known")
}

// projectPlace is where a page of the list of projects begins: after the project.
type projectPlace struct {
	Of    string `json:"l"`
	After int64  `json:"i"`
}

const projectsList = "projects"

func (s *server) listProjects(ctx context.Context, in *listProjectsInput) (*answer[ProjectList], error) {
	list := ProjectList{Projects: []ProjectView{}}
	if in.Path != "" {
		id, err := s.project(ctx, "query.path", in.Path)
		if err != nil {
			return nil, err
		}
		p, err := s.Projects.Project(ctx, id)
		list.Projects = append(list.Projects, viewOfProject(p))
		return &answer[ProjectList]{list}, err
	}
	var place projectPlace
	if in.Cursor != "" {
		var err error
		if place, err = decodeCursor(in.Cursor, func(p projectPlace) bool { return p.Of == projectsList && p.After > 0 }); err != nil {
			return nil, err
		}
	}
	projects, more, err := s.projectsAfter(ctx, place.After, in.Limit)
	if err != nil {
		return nil, err
	}
	for _, p := range projects {
		list.Projects = append(list.Projects, viewOfProject(p))
	}
	if more {
		list.NextCursor, err = encodeCursor(projectPlace{Of: projectsList, After: projects[len(projects)-1].ID})
	}
	return &answer[ProjectList]{list}, err
}

// projectsAfter returns the next projects of the list, and whether there are more.
func (s *server) projectsAfter(ctx context.Context, after int64, limit int) (projects []surgical.Project, more bool, err error) {
	if s.Allowed != nil {
		ids := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(s.Allowed))), func(id int64) bool { return id <= after })
		more = len(ids) > limit
		projects, err = s.Projects.ProjectsOf(ctx, ids[:min(limit, len(ids))])
		return projects, more, err
	}
	for p, err := range s.Projects.ProjectsAfter(ctx, after, limit+1) {
		switch {
		case err != nil:
			return nil, false, err
		case len(projects) == limit:
			return projects, true, nil
		}
		projects = append(projects, p)
	}
	return projects, false, nil
}

func (s *server) getProject(ctx context.Context, in *ProjectPath) (*answer[ProjectDetails], error) {
	id, err := s.project(ctx, "path.project", in.Project)
	if err != nil {
		return nil, err
	}
	p, err := s.Projects.Project(ctx, id)
	if err != nil {
		return nil, err
	}
	if !p.Known && s.Allowed == nil {
		return nil, surgical.NewError(surgical.CodeProjectUnknown, fmt.Sprintf("nothing is known of project %d: no entity of it has been fetched", id))
	}
	reconcile, err := s.Projects.Pass(ctx, id, surgical.PassReconcile)
	return &answer[ProjectDetails]{detailsOf(p, reconcile)}, err
}

// HideRequest names what to hide.
type HideRequest struct {
	Project projectRef `json:"project,omitempty" example:"group/project" doc:"GitLab's id of the project, or its path."`
	All     bool       `json:"all,omitempty" doc:"Hide all projects, including those outside the allow list. Excludes project."`

	raw []byte
}

// UnmarshalJSON implements [json.Unmarshaler]; it keeps the text for [ambiguous].
func (b *HideRequest) UnmarshalJSON(raw []byte) error {
	type plain HideRequest
	return unmarshalKeeping(raw, (*plain)(b), &b.raw)
}

type hideInput struct{ Body HideRequest }

// Resolve implements [huma.Resolver].
func (in *hideInput) Resolve(huma.Context) []error {
	errs := ambiguous(in.Body.raw, reflect.TypeFor[HideRequest]())
	if len(errs) == 0 && in.Body.raw != nil && (in.Body.Project == "") != in.Body.All {
		errs = append(errs, &huma.ErrorDetail{Location: "body.project", Message: "expected either project, or all with true", Value: in.Body.Project})
	}
	return errs
}

// HiddenView is what was hidden.
type HiddenView struct {
	ProjectID int64     `json:"project_id,omitempty" example:"1" doc:"GitLab's id of the project; absent if all projects are hidden."`
	HiddenAt  time.Time `json:"hidden_at" doc:"Every copy whose fetch did not begin after this time is hidden."`
}

func (s *server) hideProjects(ctx context.Context, in *hideInput) (*answer[HiddenView], error) {
	hidden := HiddenView{HiddenAt: s.Clock().Truncate(time.Microsecond)}
	if in.Body.All {
		return &answer[HiddenView]{hidden}, s.Projects.HideAllProjects(ctx, hidden.HiddenAt)
	}
	var err error
	if hidden.ProjectID, err = s.project(ctx, "body.project", in.Body.Project); err != nil {
		return nil, err
	}
	return &answer[HiddenView]{hidden}, s.Projects.HideProject(ctx, hidden.ProjectID, hidden.HiddenAt)
}
