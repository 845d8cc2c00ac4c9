// Package sweep cleans up what crashes left behind. Every minute it looks at the
// open runs: it starts a workflow that was never started, closes a run whose
// workflow timed out, sends a message again that got lost before its run began,
// and fails a run that nothing else can end. Then it lets staged items expire
// that nothing names, completes the erasing of entities, and asks for drain runs for
// entities that were left without current documents or embeddings.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

// Sender puts a request on a queue.
type Sender interface {
	Send(ctx context.Context, req surgical.Request) error
}

// Sweeper cleans up after crashes. All fields are required but NewTrace.
type Sweeper struct {
	Ledger   *ledger.Ledger
	Content  *content.Store
	Launcher *workflow.Launcher
	Setbacks *workflow.Setbacks
	Eraser   *erasure.Eraser
	// Requests and Bulk are the queues.
	Requests, Bulk Sender
	// Allows is the allow list of projects.
	Allows func(projectID int64) bool
	Clock  func() time.Time
	Log    *slog.Logger
	// NewTrace returns the traceparent of a new drain run.
	NewTrace func(context.Context) string
}

// Report counts what a sweep did. NotAllowed are the entities with undone work whose
// project is not on the allow list.
type Report struct {
	Started, Finished, Failed, Postponed, Resent, FollowedUp, Swept, Expired, Drained, NotAllowed, Erased int
}

// Handle implements the scheduled Lambda function. A run that cannot be swept
// does not stop the others, and a step that runs out of its share of the time does
// not stop the steps after it: it goes on a minute later.
func (s *Sweeper) Handle(ctx context.Context) (Report, error) {
	var report Report
	steps := []struct {
		name string
		do   func(context.Context, *Report) error
	}{
		{"running", s.openRuns(surgical.StatusRunning, s.running)},
		{"hides", s.hides},
		{"queued", s.openRuns(surgical.StatusQueued, s.queued)},
		{"follow_ups", s.followUps},
		{"erasures", s.erasures},
		{"orphans", s.runsToSweep},
		{"backlog", s.backlog},
	}
	// The stream of the content table must not fall silent.
	errs := []error{s.Content.Beat(ctx)}
	for i, step := range steps {
		shared, cancel := share(ctx, len(steps)-i)
		err := step.do(shared, &report)
		if shared.Err() != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "sweep_cut_short", "step", step.name)
			err = nil
		}
		cancel()
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	s.Log.InfoContext(ctx, "swept", "workflows_started", report.Started, "runs_finished", report.Finished, "runs_failed", report.Failed, "runs_postponed", report.Postponed,
		"messages_resent", report.Resent, "follow_ups", report.FollowedUp, "runs_swept", report.Swept, "items_expired", report.Expired, "entities_drained", report.Drained, "entities_not_allowed", report.NotAllowed, "entities_erased", report.Erased, "outcome", outcomeOf(err))
	return report, err
}

// share returns a context with one n-th of the remaining time, after
// [surgical.SweepReserve].
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, (time.Until(deadline)-surgical.SweepReserve)/time.Duration(n))
}

// openRuns returns the step that calls do for every run in the status.
func (s *Sweeper) openRuns(status surgical.RunStatus, do func(context.Context, string, *Report) error) func(context.Context, *Report) error {
	return func(ctx context.Context, report *Report) error {
		var errs []error
		for runID, err := range s.Ledger.OpenRuns(ctx, status, s.Clock().Add(-surgical.SweepGrace)) {
			if err != nil {
				return errors.Join(append(errs, err)...)
			}
			errs = append(errs, do(ctx, runID, report))
		}
		return errors.Join(errs...)
	}
}

// hides is the step that sends the messages of hide runs, the oldest first: nobody else
// does, and what GitLab no longer shows is shown here until they have run. A mass deletion
// is spread over several sweeps, so that it does not delay webhooks.
func (s *Sweeper) hides(ctx context.Context, report *Report) error {
	var errs []error
	sent := 0
	for runID, err := range s.Ledger.OpenRuns(ctx, surgical.StatusQueued, s.Clock()) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if surgical.OriginOf(runID) != surgical.OriginHide {
			continue
		}
		before := report.Resent
		errs = append(errs, s.send(ctx, runID, report))
		if sent += report.Resent - before; sent == surgical.MaxHides {
			break
		}
	}
	return errors.Join(errs...)
}

// erasures is the step that completes erasures.
func (s *Sweeper) erasures(ctx context.Context, report *Report) error {
	open, err := s.Ledger.OpenErasures(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range open {
		result, err := s.Eraser.Resume(ctx, e)
		if err == nil && result.Complete() {
			report.Erased++
			s.Log.InfoContext(ctx, "erased", "project_id", e.Ref.ProjectID, "entity", e.Ref.Target.String())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// runsToSweep is the step that lets orphans expire.
func (s *Sweeper) runsToSweep(ctx context.Context, report *Report) error {
	var errs []error
	for runID, err := range s.Ledger.RunsToSweep(ctx) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, s.orphans(ctx, runID, report))
	}
	return errors.Join(errs...)
}

func outcomeOf(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

// running starts or closes one running run, if that is due.
func (s *Sweeper) running(ctx context.Context, runID string, report *Report) error {
	run, err := s.Ledger.Run(ctx, runID)
	if err != nil || run.Status != surgical.StatusRunning {
		return err
	}
	ctx = trace.With(ctx, run.TraceParent, run.RunID)
	now := s.Clock()
	switch {
	case !run.Committed():
		if now.Sub(run.FirstClaimedAt) < surgical.RunLostAfter || run.LeaseUntil.After(now) {
			return nil
		}
		e := surgical.NewError(surgical.CodeRunLost, "the run was not brought to an end, and nothing of it is committed")
		e.RunID = run.RunID
		return s.fail(ctx, run, surgical.Lost{Attempt: run.Attempt, Error: e}, report)
	case now.Sub(run.Marks.Committed) < surgical.SweepGrace:
		return nil
	case run.JobsInserted == 0:
		return s.finish(ctx, run, report)
	case run.Generation == 0:
		return s.start(ctx, run, 1, report)
	case !run.ResumeAt.IsZero():
		if run.ResumeAt.After(now) {
			return nil
		}
		return s.start(ctx, run, run.Generation+1, report)
	case now.Sub(run.GenerationStartedAt) < surgical.WorkflowLostAfter:
		return nil
	}
	return s.settle(ctx, run, report)
}

// settle settles a run whose execution ended without an answer.
func (s *Sweeper) settle(ctx context.Context, run surgical.Run, report *Report) error {
	name, err := s.endOf(ctx, run)
	if err != nil {
		return err
	}
	run, outcome, err := s.Setbacks.Settle(ctx, run, run.Generation, run.Stage, name)
	switch {
	case err != nil:
		return fmt.Errorf("settle run %s: %w", run.RunID, err)
	case outcome == workflow.Postponed:
		report.Postponed++
		s.log(ctx, run, "run_postponed", "failed_stages", run.FailedStages, "lost_stages", run.LostStages)
	case run.Status == surgical.StatusSucceeded:
		report.Finished++
		run.LogClosed(ctx, s.Log)
	case run.Status.Terminal():
		report.Failed++
		run.LogClosed(ctx, s.Log)
	}
	return nil
}

// endOf names how the run's newest execution ended: a claim that it left proves that
// a function began and died.
func (s *Sweeper) endOf(ctx context.Context, run surgical.Run) (string, error) {
	jobs, err := s.Ledger.Jobs(ctx, run.RunID)
	if err != nil {
		return "", err
	}
	for _, job := range jobs {
		if job.Status == surgical.JobClaimed && job.Generation == run.Generation {
			return workflow.ExecutionLost, nil
		}
	}
	return workflow.ExecutionUnclaimed, nil
}

func (s *Sweeper) finish(ctx context.Context, run surgical.Run, report *Report) error {
	closed, err := s.Ledger.Close(ctx, run, surgical.Succeeded{})
	if err != nil {
		return fmt.Errorf("finish run %s: %w", run.RunID, err)
	}
	report.Finished++
	closed.LogClosed(ctx, s.Log)
	return nil
}

func (s *Sweeper) fail(ctx context.Context, run surgical.Run, ending surgical.Ending, report *Report) error {
	closed, err := s.Ledger.Close(ctx, run, ending)
	if errors.Is(err, surgical.ErrMoved) {
		return nil // somebody else works on it
	}
	if err != nil {
		return fmt.Errorf("fail run %s: %w", run.RunID, err)
	}
	report.Failed++
	closed.LogClosed(ctx, s.Log)
	return nil
}

// start starts the workflow of a committed run whose worker died, or the next
// generation of one that was postponed.
func (s *Sweeper) start(ctx context.Context, run surgical.Run, generation int64, report *Report) error {
	if err := s.Launcher.Launch(ctx, run, generation, false); err != nil {
		return err
	}
	report.Started++
	s.log(ctx, run, "workflow_started", "generation", generation)
	return nil
}

// queued sends the message of a queued run again: no worker has seen it. Those of hide
// runs were sent by their own step.
func (s *Sweeper) queued(ctx context.Context, runID string, report *Report) error {
	if surgical.OriginOf(runID) == surgical.OriginHide {
		return nil
	}
	return s.send(ctx, runID, report)
}

// send sends the message of a queued run, unless that happened a short while ago.
func (s *Sweeper) send(ctx context.Context, runID string, report *Report) error {
	run, err := s.Ledger.Resend(ctx, runID, surgical.ResendInterval)
	if errors.Is(err, surgical.ErrMoved) {
		return nil
	}
	if err != nil {
		return err
	}
	queue := s.Requests
	if run.Origin.Bulk() {
		queue = s.Bulk
	}
	ctx = trace.With(ctx, run.TraceParent, run.RunID)
	if err := queue.Send(ctx, run.Request); err != nil {
		return fmt.Errorf("send run %s again: %w", runID, err)
	}
	report.Resent++
	s.log(ctx, run, "resent")
	return nil
}

// followUps is the step that starts the follow-ups that are due. A crash between
// the row and the message leaves a queued run, whose message is sent again.
func (s *Sweeper) followUps(ctx context.Context, report *Report) error {
	var errs []error
	for f, err := range s.Ledger.FollowUps(ctx, s.Clock()) {
		if err == nil {
			err = unlessMoved(s.followUp(ctx, f, report))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Sweeper) followUp(ctx context.Context, f surgical.FollowUp, report *Report) error {
	run, err := s.Ledger.BeginFollowUp(ctx, f)
	if err != nil {
		return err
	}
	ctx = trace.With(ctx, run.TraceParent, run.RunID)
	if err := s.Requests.Send(ctx, run.Request); err != nil {
		return fmt.Errorf("send follow-up %s: %w", run.RunID, err)
	}
	report.FollowedUp++
	s.log(ctx, run, "followed_up")
	return nil
}

// orphans sweeps the entities of one run.
func (s *Sweeper) orphans(ctx context.Context, runID string, report *Report) error {
	run, err := s.Ledger.Run(ctx, runID)
	if err != nil {
		return err
	}
	if !s.Ledger.Settled(run) {
		return unlessMoved(s.Ledger.SweepAgain(ctx, runID))
	}
	ctx = trace.With(ctx, run.TraceParent, run.RunID)
	for _, ref := range run.Refs() {
		expired, err := s.Content.ExpireOrphans(ctx, ref, s.ended)
		report.Expired += expired
		if err != nil {
			return fmt.Errorf("sweep %s: %w", ref, err)
		}
	}
	if err := unlessMoved(s.Ledger.Swept(ctx, run)); err != nil {
		return err
	}
	report.Swept++
	s.log(ctx, run, "swept_run")
	return nil
}

// unlessMoved drops [surgical.ErrMoved]: the index lagged behind the row, or
// somebody else did the work.
func unlessMoved(err error) error {
	if errors.Is(err, surgical.ErrMoved) {
		return nil
	}
	return err
}

// ended reports whether the attempt can no longer commit: its run is terminal, or
// another attempt holds the run. Attempt 0 stands for the run's docs job, whose
// writes have no condition on the run, so only time ends it. A run that is no
// longer in the ledger ended long ago.
func (s *Sweeper) ended(ctx context.Context, attempt surgical.AttemptID) (bool, error) {
	run, err := s.Ledger.Run(ctx, attempt.RunID)
	if surgical.CodeOf(err) == surgical.CodeRunNotFound {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if attempt.Number == 0 {
		return s.Ledger.Settled(run), nil
	}
	return run.Status.Terminal() || run.Attempt != attempt.Number, nil
}

func (s *Sweeper) log(ctx context.Context, run surgical.Run, decision string, args ...any) {
	s.Log.InfoContext(ctx, decision, append(run.LogFields(), args...)...)
}
