package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	firstPause = 250 * time.Millisecond
	longPause  = 2 * time.Second
	// patience is how many answers in a row may fail while a run is awaited.
	patience = 5
)

// await follows the run to its end and prints it; one that did not succeed is
// an error with the run's own code. Unclaimed: the run may not be there yet.
func (s *session) await(ctx context.Context, client *apiclient.Client, runID string, w waiting, unclaimed bool) error {
	run, err := s.follow(ctx, client, runID, w.Timeout, unclaimed)
	if err != nil {
		return err
	}
	s.answer(run.Raw, func(p *printer) { p.run(run.Value) })
	return outcome(run.Value)
}

// outcome is nil for a run that succeeded, else why it did not.
func outcome(run apiclient.Run) error {
	if run.Status == surgical.StatusSucceeded {
		return nil
	}
	var e *surgical.Error
	switch {
	case run.Error != nil && run.Error.Code != "":
		e = run.Error.Err()
	case run.Status == surgical.StatusCancelled:
		e = surgical.NewError(surgical.CodeRunCancelled, "the run was cancelled")
	default:
		e = surgical.NewError(surgical.CodeInternal, fmt.Sprintf("the run is %s and does not say why", run.Status))
	}
	e.RunID = run.RunID
	return e
}

func (s *session) follow(ctx context.Context, client *apiclient.Client, runID string, timeout time.Duration, unclaimed bool) (apiclient.Answer[apiclient.Run], error) {
	began, last, failed := s.Clock(), "", 0
	for pause := firstPause; ; pause = min(pause*3/2, longPause) {
		run, err := client.Run(ctx, runID)
		state := stateOf(run.Value)
		switch {
		case err == nil && run.Value.Status.Terminal():
			s.progress(runID, state, &last, s.Clock().Sub(began))
			s.err.clear()
			return run, nil
		case err == nil:
			failed = 0
		case unclaimed && surgical.CodeOf(err) == surgical.CodeRunNotFound:
			state = string(surgical.StatusQueued)
		default:
			if failed++; ctx.Err() != nil || failed > patience || !surgical.AsError(err).Retryable {
				return run, stillRunning(ctx, err, runID)
			}
			state = string(surgical.CodeOf(err)) + ", asking again"
		}
		elapsed := s.Clock().Sub(began)
		s.progress(runID, state, &last, elapsed)
		if elapsed >= timeout {
			return run, &surgical.Error{
				Code: CodeWaitTimeout, Action: surgical.ActionRetryAfter, Retryable: true, RunID: runID,
				Message: fmt.Sprintf("the run did not end within %s; it was %s, and goes on", timeout, state),
			}
		}
		if err := s.Pause(ctx, min(pause, timeout-elapsed)); err != nil {
			return run, stillRunning(ctx, err, runID)
		}
	}
}

// stillRunning tells a user who ends the program that the run does not end
// with it.
func stillRunning(ctx context.Context, err error, runID string) error {
	if ctx.Err() == nil {
		return err
	}
	e := failureOf(ctx, context.Cause(ctx))
	if errors.Is(ctx.Err(), context.Canceled) {
		e = &surgical.Error{Code: CodeInterrupted, Action: surgical.ActionRetryAfter, Retryable: true}
	}
	e.RunID, e.Message = runID, fmt.Sprintf("interrupted; the run goes on: lore sync-runs --run-id %s --wait", runID)
	return e
}

func stateOf(run apiclient.Run) string {
	state := string(run.Status)
	if run.Stage != "" && !run.Status.Terminal() {
		state += ", " + string(run.Stage)
	}
	if run.Error != nil && !run.Status.Terminal() {
		state += ", waits: " + string(run.Error.Code)
	}
	return state
}

// progress rewrites one line on a terminal; elsewhere every change of state is
// a line.
func (s *session) progress(runID, state string, last *string, elapsed time.Duration) {
	if s.StderrTerminal {
		s.err.passing(fmt.Sprintf("%s  %s  %s", runID, state, took(elapsed)))
		return
	}
	if state != *last {
		s.err.line("%s  %s", runID, state)
		*last = state
	}
}
