package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ReconcileBody is what to reconcile.
type ReconcileBody struct {
	Project projectRef `json:"project,omitempty" example:"group/project" doc:"GitLab's id of the project, or its path."`
	All     bool       `json:"all,omitempty" doc:"Every project that was reconciled before. Excludes project."`

	raw []byte
}

// UnmarshalJSON implements [json.Unmarshaler]; it keeps the text for [ambiguous].
func (b *ReconcileBody) UnmarshalJSON(raw []byte) error {
	type plain ReconcileBody
	return unmarshalKeeping(raw, (*plain)(b), &b.raw)
}

type startReconcileInput struct{ Body ReconcileBody }

// Resolve implements [huma.Resolver].
func (in *startReconcileInput) Resolve(huma.Context) []error {
	errs := ambiguous(in.Body.raw, reflect.TypeFor[ReconcileBody]())
	if len(errs) == 0 && in.Body.raw != nil && (in.Body.Project == "") != in.Body.All {
		errs = append(errs, &huma.ErrorDetail{Location: "body.project", Message: "expected either project, or all with true", Value: in.Body.Project})
	}
	return errs
}

type listReconcilesInput struct {
	Project projectRef `query:"project" example:"group/project" doc:"Only this project: its id, or its path."`
}

// CycleList is a list of reconciles.
type CycleList struct {
	Reconciles []CycleView `json:"reconciles" nullable:"false" doc:"One for each project, ordered by project."`
}

// CycleView is the running or last reconcile of a project.
type CycleView struct {
	ProjectID   int64                `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Path        string               `json:"path,omitempty" example:"group/project" doc:"The newest known path of the project; absent until GitLab has named it."`
	Cycle       string               `json:"cycle,omitempty" example:"1-6c5yq4wsxhqm3f2a" doc:"Names the reconcile; absent before the first one."`
	Status      surgical.RunStatus   `json:"status" enum:"queued,running,succeeded,failed" doc:"queued: it was requested and has not begun. running: its lists, or the runs that it requested, have not ended."`
	RequestedAt time.Time            `json:"requested_at,omitzero" doc:"When a reconcile was last requested; the schedule requests none."`
	BeganAt     time.Time            `json:"began_at,omitzero" doc:"When it began."`
	EndedAt     time.Time            `json:"ended_at,omitzero" doc:"When it ended."`
	NextAt      time.Time            `json:"next_at,omitzero" doc:"When its next step, or the next reconcile, is due."`
	Listed      int64                `json:"listed" doc:"Entities that GitLab's lists showed."`
	Different   int64                `json:"different" doc:"Entities whose copy was missing or not current."`
	Outstanding int64                `json:"outstanding" doc:"Runs that are not known to have ended."`
	Requests    int64                `json:"requests" doc:"Requests to GitLab for the lists."`
	Error       *ErrorOfBackfillView `json:"error,omitempty" doc:"Why it failed; for a running one, why it is waiting."`
}

func (s *server) addReconciles(to *routes) {
	op := operationOf(huma.Operation{
		OperationID: "start-reconcile", Method: http.MethodPost, Path: "/v1/reconciles", Tags: []string{"reconciles"},
		Summary: "Compare a project with GitLab now",
		Description: "The schedule does so every few minutes. A reconcile lists what changed since the last one, and fetches what differs. " +
			"It has begun once `began_at` is later than `requested_at`.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: surgical.MaxAPIBody,
	}, notAllowed(), noProject(),
		refusal{http.StatusBadRequest, surgical.CodeInvalidRequest, "the body is missing or not JSON"},
		refusal{http.StatusUnsupportedMediaType, surgical.CodeInvalidRequest, "the body is not application/json"},
		refusalOf(surgical.CodePayloadTooLarge, "the body is longer than 64 KB"),
		refusalOf(surgical.CodeConflict, "the reconcile changed in the meantime; try again"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["202"] = described[CycleList](schemas, "The reconciles that were requested, each as it is now.")
	}
	to.add(op, handle(s.startReconcile))

	to.add(operationOf(huma.Operation{
		OperationID: "list-reconciles", Method: http.MethodGet, Path: "/v1/reconciles", Tags: []string{"reconciles"},
		Summary: "List reconciles", Description: "The running or last reconcile of each project.",
	}, notAllowed(), noProject()), handle(s.listReconciles))
}

func (s *server) startReconcile(ctx context.Context, in *startReconcileInput) (*answer[CycleList], error) {
	var ids []int64
	if in.Body.All {
		passes, err := s.Passes.PassesOf(ctx, surgical.PassReconcile)
		if err != nil {
			return nil, err
		}
		for _, p := range passes {
			if s.Allows(p.ProjectID) {
				ids = append(ids, p.ProjectID)
			}
		}
	} else {
		id, err := s.project(ctx, "body.project", in.Body.Project)
		if err != nil {
			return nil, err
		}
		ids = []int64{id}
	}
	list := CycleList{Reconciles: []CycleView{}}
	for _, id := range ids {
		p, err := s.Passes.RequestReconcile(ctx, id)
		if errors.Is(err, surgical.ErrMoved) {
			err = passMoved("the reconcile of project " + strconv.FormatInt(id, 10))
		}
		if err != nil {
			return nil, err
		}
		list.Reconciles = append(list.Reconciles, viewOfCycle(p))
	}
	s.crawl(ctx)
	return s.cycles(ctx, list)
}

func (s *server) listReconciles(ctx context.Context, in *listReconcilesInput) (*answer[CycleList], error) {
	list := CycleList{Reconciles: []CycleView{}}
	if in.Project != "" {
		id, err := s.project(ctx, "query.project", in.Project)
		if err != nil {
			return nil, err
		}
		p, err := s.Passes.Pass(ctx, id, surgical.PassReconcile)
		switch {
		case err != nil:
			return nil, err
		case p.Exists():
			list.Reconciles = append(list.Reconciles, viewOfCycle(p))
			return s.cycles(ctx, list)
		}
		project, err := s.Projects.Project(ctx, id)
		if err == nil && !project.Known && s.Allowed == nil {
			err = surgical.NewError(surgical.CodeProjectUnknown, fmt.Sprintf("nothing is known of project %d: GitLab has never shown it to the token", id))
		}
		return &answer[CycleList]{list}, err
	}
	passes, err := s.Passes.PassesOf(ctx, surgical.PassReconcile)
	for _, p := range passes {
		if s.Allows(p.ProjectID) {
			list.Reconciles = append(list.Reconciles, viewOfCycle(p))
		}
	}
	if err != nil {
		return nil, err
	}
	return s.cycles(ctx, list)
}

// cycles adds the paths of the projects to the list.
func (s *server) cycles(ctx context.Context, list CycleList) (*answer[CycleList], error) {
	var ids []int64
	for _, v := range list.Reconciles {
		ids = append(ids, v.ProjectID)
	}
	paths, err := s.paths(ctx, ids)
	for i := range list.Reconciles {
		list.Reconciles[i].Path = paths[list.Reconciles[i].ProjectID]
	}
	return &answer[CycleList]{list}, err
}

func viewOfCycle(p surgical.Pass) CycleView {
	view := CycleView{
		ProjectID: p.ProjectID, Cycle: p.ID, Status: p.Status, RequestedAt: p.RequestedAt, BeganAt: p.StartedAt, EndedAt: p.FinishedAt, NextAt: p.DueAt,
		Listed: p.Counts.Listed, Different: p.Counts.Different, Outstanding: p.Outstanding, Requests: p.Counts.ListRequests, Error: errorOfBackfill(p.Error),
	}
	if !p.Exists() || p.RequestedAt.After(p.StartedAt) {
		view.Status = surgical.StatusQueued
	}
	return view
}
