package api

import (
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ProjectView is what is known of a project as a whole.
type ProjectView struct {
	ProjectID      int64              `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Path           string             `json:"path,omitempty" example:"group/project" doc:"The newest known path, with all groups; absent until GitLab has named it."`
	CompleteExcept []TargetView       `json:"complete_except,omitempty" nullable:"false" doc:"Up to 50 entities to which complete_as_of does not apply: GitLab lists a change of each that could not be fetched, several times in a row."`
	CompleteAsOf   time.Time          `json:"complete_as_of,omitzero" doc:"Every change in GitLab before this time is in the copy, as far as GitLab's lists show; absent until everything has been listed."`
	Unreadable     *UnreadableView    `json:"unreadable,omitempty" doc:"Records of GitLab's lists that name no issue or merge request. While there are any, complete_as_of does not move; absent once a backfill has listed everything without one."`
	HiddenAt       time.Time          `json:"hidden_at,omitzero" doc:"Every copy whose fetch did not begin after this time is hidden."`
	UnseenSince    time.Time          `json:"unseen_since,omitzero" doc:"When GitLab first refused to show the project; absent while it shows it."`
	Counts         *ProjectCountsView `json:"counts,omitempty" doc:"How many entities GitLab's lists had; absent until they were counted."`
	Hook           *HookView          `json:"hook,omitempty" doc:"The last check of the project's webhook; absent until it was checked."`
	LastReconcile  *ReconcileView     `json:"last_reconcile,omitempty" doc:"The last reconcile that ended."`
	LastCensus     *CensusView        `json:"last_census,omitempty" doc:"The last census that ended: a pass that fetches every copy again, for what no webhook and no list announces."`
}

// ProjectDetails is a project with the state of its passes.
type ProjectDetails struct {
	ProjectView
	Checkpoints *CheckpointsView `json:"checkpoints,omitempty" doc:"Where the next reconcile goes on; absent until one has listed everything that changed."`
}

// CheckpointsView is from when on the next reconcile lists changes.
type CheckpointsView struct {
	Issues        time.Time `json:"issues" doc:"The next reconcile lists issues that changed at this time or later, by GitLab's clock."`
	MergeRequests time.Time `json:"merge_requests" doc:"The same for merge requests."`
}

// UnreadableView counts records of lists that name no entity.
type UnreadableView struct {
	Records  int64     `json:"records" example:"1" doc:"How many the last pass met that met any; one may be counted more than once."`
	ListedAt time.Time `json:"listed_at" doc:"When the last of them was listed."`
}

// ProjectCountsView is how many entities GitLab's lists had.
type ProjectCountsView struct {
	Issues        int64     `json:"issues" example:"120" doc:"Issues."`
	MergeRequests int64     `json:"merge_requests" example:"45" doc:"Merge requests."`
	CountedAt     time.Time `json:"counted_at" doc:"When they were counted."`
}

// HookView is the result of a check of a project's webhook.
type HookView struct {
	State     surgical.HookState `json:"state" enum:"working,missing,disabled,silent,unreadable" doc:"working: GitLab has an enabled hook with all triggers. missing: it has none. disabled: GitLab has disabled it. silent: it is subscribed to events that GitLab does not send. unreadable: none was found, and the token may not read the hooks of the project or of a group above it."`
	HookID    int64              `json:"hook_id,omitempty" doc:"GitLab's id of the hook."`
	Reason    string             `json:"reason,omitempty" doc:"Why the hook is not working."`
	CheckedAt time.Time          `json:"checked_at" doc:"When it was checked."`
	Findings  int64              `json:"findings" doc:"How many checks in a row, including this one, found it not working."`
}

// ReconcileView is what one reconcile of a project found.
type ReconcileView struct {
	Cycle     string    `json:"cycle" doc:"Names the pass."`
	BeganAt   time.Time `json:"began_at" doc:"When it began."`
	EndedAt   time.Time `json:"ended_at" doc:"When its last run had ended."`
	Listed    int64     `json:"listed" doc:"Entities that GitLab's lists showed."`
	Different int64     `json:"different" doc:"Entities whose copy was missing or older."`
	Missed    int64     `json:"missed" doc:"Entities that had changed although no delivery had announced it."`
	Requests  int64     `json:"requests" doc:"Requests to GitLab for the lists."`
}

// CensusView is the result of one census of a project.
type CensusView struct {
	Cycle    string                     `json:"cycle" doc:"Names the pass."`
	BeganAt  time.Time                  `json:"began_at" doc:"When it began."`
	EndedAt  time.Time                  `json:"ended_at" doc:"When its last run had ended."`
	Listed   int64                      `json:"listed" doc:"Entities that GitLab's lists showed."`
	Fetched  int64                      `json:"fetched" doc:"Entities that were fetched again."`
	Failed   int64                      `json:"failed" doc:"Entities that could not be fetched, such as those that are gone."`
	Requests int64                      `json:"requests" doc:"Requests to GitLab."`
	Found    map[surgical.Finding]int64 `json:"found" nullable:"false" doc:"How many entities, by what had changed unannounced: missing, gone, deleted_notes, approvals, labels, milestones, users (each renamed or changed), or other. An entity counts once for each."`
}

func viewOfCensus(c surgical.Censused) *CensusView {
	found := c.Found
	if found == nil {
		found = map[surgical.Finding]int64{}
	}
	return &CensusView{c.Cycle, c.BeganAt, c.EndedAt, c.Listed, c.Fetched, c.Failed, c.Requests, found}
}

// exceptOf lists the entities to which the project's completeness does not apply, nil for
// none.
func exceptOf(p surgical.Project) (except []TargetView) {
	for _, t := range p.CompleteExcept {
		except = append(except, TargetView(t))
	}
	return except
}

func viewOfProject(p surgical.Project) ProjectView {
	view := ProjectView{ProjectID: p.ID, Path: p.Path, CompleteExcept: exceptOf(p), CompleteAsOf: p.CompleteAsOf, HiddenAt: p.HiddenAt, UnseenSince: p.UnseenSince}
	if u := p.Unreadable; u.Records > 0 {
		view.Unreadable = &UnreadableView{u.Records, u.At}
	}
	if c := p.Counts; !c.At.IsZero() {
		view.Counts = &ProjectCountsView{c.Issues, c.MergeRequests, c.At}
	}
	if h := p.Hook; h.State != "" {
		view.Hook = &HookView{h.State, h.ID, h.Reason, h.CheckedAt, h.Findings}
	}
	if r := p.LastReconcile; !r.EndedAt.IsZero() {
		view.LastReconcile = &ReconcileView{r.Cycle, r.BeganAt, r.EndedAt, r.Listed, r.Different, r.Missed, r.Requests}
	}
	if c := p.LastCensus; !c.EndedAt.IsZero() {
		view.LastCensus = viewOfCensus(c)
	}
	return view
}

func detailsOf(p surgical.Project, reconcile surgical.Pass) ProjectDetails {
	details := ProjectDetails{ProjectView: viewOfProject(p)}
	if c := reconcile.Checkpoints; len(c) > 0 {
		details.Checkpoints = &CheckpointsView{c[surgical.Issue], c[surgical.MergeRequest]}
	}
	return details
}
