package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type runInput struct {
	RunID string `path:"run_id" minLength:"1" maxLength:"64" pattern:"^[a-z0-9]+$" example:"mdx3fz6o2q4c7yq3wq6p7b2kxye" doc:"The run's id."`
}

func (s *server) addRuns(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "get-sync-run", Method: http.MethodGet, Path: "/v1/sync-runs/{run_id}", Tags: []string{"runs"},
		Summary: "Read a run",
		Description: "The run with the outcome of each target and the number of its jobs by status. " +
			"A webhook's run is not found until a worker has claimed it.",
	}, notAllowed(), noRun()), handle(s.getRun))
	s.addLists(to)
}

func (s *server) getRun(ctx context.Context, in *runInput) (*answer[SyncResult], error) {
	run, err := s.allowedRun(ctx, in.RunID)
	if err != nil {
		return nil, err
	}
	view, err := s.runView(ctx, run)
	return &answer[SyncResult]{view}, err
}

// allowedRun reads a run of a project that is on the allow list.
func (s *server) allowedRun(ctx context.Context, runID string) (surgical.Run, error) {
	run, err := s.Runs.Run(ctx, runID)
	if err == nil {
		err = s.allowed(run.ProjectID)
	}
	if err != nil {
		return surgical.Run{}, err
	}
	return run, nil
}

// runView reads the run's details.
func (s *server) runView(ctx context.Context, run surgical.Run) (SyncResult, error) {
	rows := outcomeRows(run)
	if run.Status.Terminal() {
		var err error
		if rows, err = s.Runs.Entities(ctx, run.RunID); err != nil {
			return SyncResult{}, err
		}
	}
	var jobs []surgical.Job
	if run.JobsInserted > 0 {
		var err error
		if jobs, err = s.Runs.Jobs(ctx, run.RunID); err != nil {
			return SyncResult{}, err
		}
	}
	return viewOfRun(run, rows, jobs), nil
}

// outcomeRows are the outcomes that the commit decided, of a run that has not
// ended yet.
func outcomeRows(run surgical.Run) []surgical.EntityRow {
	var rows []surgical.EntityRow
	for _, ref := range run.Refs() {
		if outcome, ok := run.Outcomes[ref.Target]; ok {
			rows = append(rows, surgical.EntityRow{
				RunID: run.RunID, Ref: ref, Stage: run.Stage, Status: outcome.Status, UpdatedAt: run.Marks.Committed,
			})
		}
	}
	return rows
}
