package api

import (
	"context"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// BackfillList is all backfills.
type BackfillList struct {
	Backfills []BackfillView `json:"backfills" nullable:"false" doc:"Newest first."`
}

// BackfillView is the backfill of a project, or a request for several.
type BackfillView struct {
	ID         string             `json:"id" example:"1-6c5yq4wsxhqm3f2a" doc:"The backfill's id."`
	ProjectID  int64              `json:"project_id,omitempty" example:"1" doc:"GitLab's id of the project; absent for a request for several projects."`
	Path       string             `json:"path,omitempty" example:"group/project" doc:"The newest known path of the project with this id; absent until GitLab has named it."`
	Project    string             `json:"project,omitempty" example:"group/project" doc:"The path of a project whose id is not known yet."`
	Group      string             `json:"group,omitempty" example:"group/subgroup" doc:"The group whose projects are copied."`
	All        bool               `json:"all,omitempty" doc:"Every project is copied."`
	Status     surgical.RunStatus `json:"status" enum:"running,succeeded,failed,cancelled" doc:"failed: it gave up, or ended with entities that it could not bring up to date, or with records of GitLab's lists that it could not read. It can be resumed."`
	CreatedAt  time.Time          `json:"created_at" doc:"When it was requested."`
	FinishedAt time.Time          `json:"finished_at,omitzero" doc:"When it ended."`
	WaitsUntil time.Time          `json:"waits_until,omitzero" doc:"Of a running backfill that waits because of error: when it goes on."`

	Progress ProgressView          `json:"progress" doc:"What it has done; of a request, the sum of its backfills."`
	Projects *BackfillProjectsView `json:"projects,omitempty" doc:"The projects of a request for several."`
	Failures []BackfillFailureView `json:"failures,omitempty" nullable:"false" doc:"Up to 100 entities that could not be brought up to date, of all backfills of a request for several; only in the response for one backfill or request."`
	Error    *ErrorOfBackfillView  `json:"error,omitempty" doc:"Why it failed; for a running one, why it is waiting."`
}

// ProgressView counts entities.
type ProgressView struct {
	Total       *int64 `json:"total,omitempty" doc:"Entities that GitLab counted; absent until it has, or if there are more than 10,000 of a type."`
	Listed      int64  `json:"listed" doc:"Entries of GitLab's lists so far; an entity may come more often than once."`
	Different   int64  `json:"different" doc:"Entities whose copy was missing or not current."`
	Done        int64  `json:"done" doc:"Those among them that were brought up to date, or that GitLab no longer had."`
	Failed      int64  `json:"failed" doc:"Those among them that could not be."`
	Outstanding int64  `json:"outstanding" doc:"Those among them whose run is queued or running."`
	Unreadable  int64  `json:"unreadable,omitempty" doc:"Records of GitLab's lists that name no issue or merge request of the project; one may be counted more than once. With any, the backfill fails, and the project is not called complete."`
	Requests    int64  `json:"requests" doc:"Requests to GitLab."`
}

// BackfillProjectsView counts the projects of a request.
type BackfillProjectsView struct {
	Listed     int64 `json:"listed" doc:"Projects that GitLab listed so far."`
	AllListed  bool  `json:"all_listed" doc:"Whether the list has ended."`
	NotAllowed int64 `json:"not_allowed" doc:"Projects that the allow list does not name."`
	Joined     int64 `json:"joined" doc:"Projects whose backfill was running already."`
	Unreadable int64 `json:"unreadable,omitempty" doc:"Records of the list that name no project. With any, the request fails."`
	Running    int64 `json:"running" doc:"Backfills that are running."`
	Succeeded  int64 `json:"succeeded" doc:"Backfills that succeeded."`
	Failed     int64 `json:"failed" doc:"Backfills that failed or were cancelled."`
}

// maxFailures is how many failures of a backfill one response lists.
const maxFailures = 100

// BackfillFailureView is an entity that could not be brought up to date.
type BackfillFailureView struct {
	ProjectID int64 `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	TargetView
	RunID     string          `json:"run_id" doc:"The run that failed."`
	Code      surgical.Code   `json:"code" example:"entity_too_large" doc:"What stopped it, for machines."`
	Message   string          `json:"message" doc:"What stopped it, for people."`
	Action    surgical.Action `json:"action" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
	Retryable bool            `json:"retryable" doc:"Whether another try can succeed."`
}

// ErrorOfBackfillView is why a backfill failed or waits.
type ErrorOfBackfillView struct {
	Code      surgical.Code   `json:"code" example:"gitlab_unavailable" doc:"What happened, for machines."`
	Message   string          `json:"message" doc:"What happened, for people."`
	Action    surgical.Action `json:"action" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
	Retryable bool            `json:"retryable" doc:"Whether another try can succeed."`
}

func viewOfPass(p surgical.Pass) BackfillView {
	view := BackfillView{
		ID: p.ID, ProjectID: p.ProjectID, Status: p.Status, CreatedAt: p.RequestedAt, FinishedAt: p.FinishedAt,
		Progress: progressOf(p), Error: errorOfBackfill(p.Error),
	}
	if p.Status == surgical.StatusRunning && p.Error != nil {
		view.WaitsUntil = p.DueAt
	}
	return view
}

func progressOf(p surgical.Pass) ProgressView {
	c := p.Counts
	view := ProgressView{Listed: c.Listed, Different: c.Different, Done: c.Done, Failed: c.Failed, Outstanding: p.Outstanding, Unreadable: c.Unreadable, Requests: c.Requests}
	if total := p.Total(); total >= 0 {
		view.Total = &total
	}
	return view
}

func (v *ProgressView) add(o ProgressView) {
	v.Listed += o.Listed
	v.Different += o.Different
	v.Done += o.Done
	v.Failed += o.Failed
	v.Outstanding += o.Outstanding
	v.Unreadable += o.Unreadable
	v.Requests += o.Requests
	if v.Total != nil && o.Total != nil {
		*v.Total += *o.Total
	} else {
		v.Total = nil
	}
}

// viewOfRequest sums up the backfills that the request wants.
func viewOfRequest(r surgical.BackfillRequest, passes []surgical.Pass) BackfillView {
	var total int64
	view := BackfillView{
		ID: r.ID, Project: r.Scope.Project, Group: r.Scope.Group, All: r.Scope.All, Status: r.Status,
		CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt, Error: errorOfBackfill(r.Error),
		Progress: ProgressView{Total: &total, Requests: r.Requests},
		Projects: &BackfillProjectsView{Listed: r.Projects, AllListed: r.Listed, NotAllowed: r.NotAllowed, Joined: r.Joined, Unreadable: r.Unreadable},
	}
	if r.Status == surgical.StatusRunning && r.Error != nil {
		view.WaitsUntil = r.DueAt
	}
	wanted := slices.DeleteFunc(slices.Clone(passes), func(p surgical.Pass) bool { return !p.Wants(r.ID) })
	for _, p := range wanted {
		view.Progress.add(progressOf(p))
		switch p.Status {
		case surgical.StatusRunning:
			view.Projects.Running++
		case surgical.StatusSucceeded:
			view.Projects.Succeeded++
		default:
			view.Projects.Failed++
		}
		if len(wanted) == 1 && r.Scope.Project != "" {
			view.ProjectID = p.ProjectID
		}
	}
	if !r.Listed {
		view.Progress.Total = nil
	}
	return view
}

func errorOfBackfill(e *surgical.Error) *ErrorOfBackfillView {
	if e == nil {
		return nil
	}
	return &ErrorOfBackfillView{e.Code, e.Message, e.Action, e.Retryable}
}

// passView describes a pass with up to [maxFailures] failures.
func (s *server) passView(ctx context.Context, p surgical.Pass) (BackfillView, error) {
	views := []BackfillView{viewOfPass(p)}
	err := s.nameProjects(ctx, views)
	if err == nil {
		err = s.addFailures(ctx, &views[0], p)
	}
	return views[0], err
}

// addFailures adds the failures of the pass to the view, up to [maxFailures] in all.
func (s *server) addFailures(ctx context.Context, view *BackfillView, p surgical.Pass) error {
	room := maxFailures - len(view.Failures)
	if p.Counts.Failed == 0 || room <= 0 {
		return nil
	}
	failures, err := s.Passes.PassFailures(ctx, p, room)
	for _, f := range failures {
		e := surgical.NewError(f.Code, f.Message)
		view.Failures = append(view.Failures, BackfillFailureView{p.ProjectID, TargetView(f.Target), f.RunID, f.Code, f.Message, e.Action, f.Code.CanSucceedLater()})
	}
	return err
}

// requestView describes a request with up to [maxFailures] failures of its backfills.
func (s *server) requestView(ctx context.Context, r surgical.BackfillRequest) (BackfillView, error) {
	passes, err := s.Passes.PassesOf(ctx, surgical.PassBackfill)
	views := []BackfillView{viewOfRequest(r, passes)}
	if err == nil {
		err = s.nameProjects(ctx, views)
	}
	for _, p := range passes {
		if err == nil && p.Wants(r.ID) {
			err = s.addFailures(ctx, &views[0], p)
		}
	}
	return views[0], err
}

// nameProjects adds the paths of the projects.
func (s *server) nameProjects(ctx context.Context, views []BackfillView) error {
	var ids []int64
	for _, v := range views {
		ids = append(ids, v.ProjectID)
	}
	paths, err := s.paths(ctx, ids)
	for i := range views {
		views[i].Path = paths[views[i].ProjectID]
	}
	return err
}

// paths returns the newest known paths of projects; 0 stands for none.
func (s *server) paths(ctx context.Context, ids []int64) (map[int64]string, error) {
	ids = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(ids))), func(id int64) bool { return id == 0 })
	projects, err := s.Projects.ProjectsOf(ctx, ids)
	paths := make(map[int64]string, len(projects))
	for _, p := range projects {
		paths[p.ID] = p.Path
	}
	return paths, err
}
