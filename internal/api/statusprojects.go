package api

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ProjectsState summarizes the projects of the list of projects.
type ProjectsState struct {
	Total    int  `json:"total" doc:"How many projects there are, up to 500."`
	More     bool `json:"more" doc:"Whether there are more. They are left out of everything here."`
	Complete int  `json:"complete" doc:"Projects of which everything has been listed and copied."`
	Unseen   int  `json:"unseen" doc:"Projects that GitLab does not show to the token."`
	// CompleteAsOf is the oldest of the complete projects.
	CompleteAsOf time.Time `json:"complete_as_of,omitzero" doc:"Every change in GitLab before this time is in the copies of all complete projects, as far as GitLab's lists show; absent if none is complete."`
	OldestID     int64     `json:"oldest_project_id,omitempty" doc:"The project that this time comes from."`
	// ReconcileAge and ReconcileBehind are those of the alarm reconcile-behind.
	ReconcileAge    int64              `json:"reconcile_age_ms" example:"184000" doc:"For how many milliseconds the project that has waited longest was not compared with GitLab's lists, whatever the reason. Projects that GitLab does not show are left out."`
	ReconcileAgeID  int64              `json:"reconcile_age_project_id,omitempty" doc:"The project that this comes from; absent if no project was reconciled yet."`
	ReconcileBehind int64              `json:"reconcile_behind_ms" example:"3600000" doc:"From which reconcile_age_ms on the alarm reconcile-behind goes off: an hour, or three times the setting reconcileMinutes if that is longer."`
	Except          int                `json:"complete_except" doc:"How many entities complete_as_of does not apply to, in all projects: GitLab lists a change of each that could not be fetched."`
	Hooks           HooksState         `json:"hooks" doc:"How many projects have a webhook in which state."`
	Attention       []ProjectAttention `json:"attention" nullable:"false" doc:"The first 20 projects that are not complete, but for some entities perhaps, or whose lists could not be read completely, or not shown by GitLab, or whose webhook does not work."`
}

// HooksState counts projects by the state of their webhook.
type HooksState struct {
	Working    int `json:"working" doc:"An enabled hook with all triggers."`
	Missing    int `json:"missing" doc:"None."`
	Disabled   int `json:"disabled" doc:"GitLab has disabled it."`
	Silent     int `json:"silent" doc:"Subscribed to events that GitLab does not send."`
	Unreadable int `json:"unreadable" doc:"The token may not read the project's hooks."`
	Unchecked  int `json:"unchecked" doc:"Not checked yet."`
}

// ProjectAttention is a project that someone should look at.
type ProjectAttention struct {
	ProjectID    int64              `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Path         string             `json:"path,omitempty" example:"group/project" doc:"The newest known path."`
	CompleteAsOf time.Time          `json:"complete_as_of,omitzero" doc:"As in the project; absent if it is not complete."`
	Except       []TargetView       `json:"complete_except,omitempty" nullable:"false" doc:"As in the project: entities to which complete_as_of does not apply."`
	Unreadable   int64              `json:"unreadable,omitempty" doc:"Records of GitLab's lists that name no issue or merge request; while there are any, complete_as_of does not move."`
	UnseenSince  time.Time          `json:"unseen_since,omitzero" doc:"When GitLab first refused to show the project; absent while it shows it."`
	Hook         surgical.HookState `json:"hook,omitempty" enum:"working,missing,disabled,silent,unreadable" doc:"The state of its webhook; absent until it was checked."`
	HookReason   string             `json:"hook_reason,omitempty" doc:"Why the hook is not working."`
}

func (s *server) projectsState(ctx context.Context) (ProjectsState, error) {
	projects, more, err := s.projectsAfter(ctx, 0, maxStatusProjects)
	if err != nil {
		return ProjectsState{}, err
	}
	state := ProjectsState{Total: len(projects), More: more, Attention: []ProjectAttention{}}
	known, ids := make(map[int64]surgical.Project, len(projects)), make([]int64, len(projects))
	for i, p := range projects {
		state.add(p)
		known[p.ID], ids[i] = p, p.ID
	}
	reconciles, err := s.Projects.PassesIn(ctx, surgical.PassReconcile, ids)
	age, of := surgical.ReconcileAge(reconciles, known, s.Clock())
	state.ReconcileAge, state.ReconcileAgeID = age.Milliseconds(), of
	state.ReconcileBehind = surgical.ReconcileBehind(s.Reconciles).Milliseconds()
	return state, err
}

// add counts a project.
func (s *ProjectsState) add(p surgical.Project) {
	complete := !p.CompleteAsOf.IsZero()
	if complete {
		s.Complete++
		if s.CompleteAsOf.IsZero() || p.CompleteAsOf.Before(s.CompleteAsOf) {
			s.CompleteAsOf, s.OldestID = p.CompleteAsOf, p.ID
		}
	}
	if !p.UnseenSince.IsZero() {
		s.Unseen++
	}
	s.Hooks.add(p.Hook.State)
	s.Except += len(p.CompleteExcept)
	broken := p.Hook.State != "" && p.Hook.State != surgical.HookWorking && p.Hook.State != surgical.HookUnreadable
	if (!complete || len(p.CompleteExcept) > 0 || p.Unreadable.Records > 0 || !p.UnseenSince.IsZero() || broken) && len(s.Attention) < maxStatusAttention {
		s.Attention = append(s.Attention, ProjectAttention{p.ID, p.Path, p.CompleteAsOf, exceptOf(p), p.Unreadable.Records, p.UnseenSince, p.Hook.State, p.Hook.Reason})
	}
}

func (h *HooksState) add(state surgical.HookState) {
	switch state {
	case surgical.HookWorking:
		h.Working++
	case surgical.HookMissing:
		h.Missing++
	case surgical.HookDisabled:
		h.Disabled++
	case surgical.HookSilent:
		h.Silent++
	case surgical.HookUnreadable:
		h.Unreadable++
	default:
		h.Unchecked++
	}
}
