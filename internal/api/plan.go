package api

import (
	"context"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// PlanView is what a request would do.
type PlanView struct {
	DryRun    bool             `json:"dry_run" doc:"Always true: nothing was fetched, sent or written."`
	ProjectID int64            `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Targets   []PlanTargetView `json:"targets" nullable:"false" doc:"The targets, each with its stored copy."`
	Options   OptionsView      `json:"options" doc:"The requested options."`
	Stages    []surgical.Stage `json:"stages" nullable:"false" enum:"preflight,ingest,docs,embed" doc:"The stages that would run, in order; docs and embed only if something changed."`
	Conflicts []ConflictView   `json:"conflicts" nullable:"false" doc:"Runs that conflict with the request."`
}

// PlanTargetView is one target of a plan.
type PlanTargetView struct {
	TargetView
	Local *LocalView `json:"local,omitempty" doc:"The stored copy; absent if there is none."`
}

// LocalView is the version of a stored copy.
type LocalView struct {
	Revision  int64     `json:"revision" doc:"The copy's revision."`
	UpdatedAt time.Time `json:"updated_at" doc:"GitLab's updated_at."`
	FetchedAt time.Time `json:"fetched_at" doc:"When the fetch of this copy began."`
	RunID     string    `json:"run_id" doc:"The run that committed it."`
}

// ConflictView is a run that conflicts with the request.
type ConflictView struct {
	Reason  string             `json:"reason" enum:"idempotency_key,open_run" doc:"idempotency_key: the key belongs to a different request, so this one would be rejected. open_run: a run of the same target has not ended; both would end correctly."`
	RunID   string             `json:"run_id" doc:"The run."`
	Status  surgical.RunStatus `json:"status" enum:"queued,running,succeeded,failed,cancelled" doc:"Its status."`
	Targets []TargetView       `json:"targets" nullable:"false" doc:"The targets that both have in common."`
}

// plan only reads.
func (s *server) plan(ctx context.Context, req surgical.Request, keyed bool) (PlanView, error) {
	plan := PlanView{
		DryRun: true, ProjectID: req.ProjectID, Options: OptionsView(req.Options),
		Stages: stagesOf(req.Options), Conflicts: []ConflictView{},
	}
	for _, ref := range req.Refs() {
		target := PlanTargetView{TargetView: TargetView(ref.Target)}
		switch head, err := s.Content.VisibleHead(ctx, ref); {
		case err == nil:
			target.Local = &LocalView{head.Revision, head.UpdatedAt, head.FetchedAt, head.RunID}
		case surgical.CodeOf(err) != surgical.CodeEntityNotFound && surgical.CodeOf(err) != surgical.CodeEntityGone:
			return PlanView{}, err
		}
		plan.Targets = append(plan.Targets, target)
	}
	if keyed {
		run, err := s.Runs.Run(ctx, req.RunID)
		if err != nil && surgical.CodeOf(err) != surgical.CodeRunNotFound {
			return PlanView{}, err
		}
		meant := req
		meant.Options.DryRun = false
		if err == nil && !same(run.Request, meant) {
			plan.Conflicts = append(plan.Conflicts, conflict("idempotency_key", run, req.Targets))
		}
	}
	open, err := s.openRuns(ctx, req.ProjectID, req.Targets)
	for _, run := range open {
		if keyed && run.RunID == req.RunID {
			continue // the request's own run, or named above
		}
		plan.Conflicts = append(plan.Conflicts, conflict("open_run", run, req.Targets))
	}
	return plan, err
}

// maxOpenRuns is the maximum number of a project's open runs that are examined.
const maxOpenRuns = 500

// openRuns returns the queued and running runs of any of the targets.
func (s *server) openRuns(ctx context.Context, projectID int64, targets []surgical.Target) ([]surgical.Run, error) {
	filter := ledger.RunFilter{ProjectID: projectID, Statuses: []surgical.RunStatus{surgical.StatusQueued, surgical.StatusRunning}}
	runs, _, err := s.Runs.List(ctx, filter, ledger.RunPlace{}, maxOpenRuns)
	return slices.DeleteFunc(runs, func(run surgical.Run) bool {
		return len(common(run.Targets, targets)) == 0
	}), err
}

func common(a, b []surgical.Target) []surgical.Target {
	return slices.DeleteFunc(slices.Clone(a), func(t surgical.Target) bool { return !slices.Contains(b, t) })
}

func conflict(reason string, run surgical.Run, targets []surgical.Target) ConflictView {
	return ConflictView{Reason: reason, RunID: run.RunID, Status: run.Status, Targets: targetViews(common(run.Targets, targets))}
}

func stagesOf(o surgical.Options) []surgical.Stage {
	stages := []surgical.Stage{surgical.StagePreflight}
	if !o.PreflightOnly {
		stages = append(stages, surgical.StageIngest)
		if !o.NoDocs {
			stages = append(stages, surgical.StageDocs)
		}
		if !o.NoEmbed {
			stages = append(stages, surgical.StageEmbed)
		}
	}
	return stages
}
