package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	firstPause = 250 * time.Millisecond
	longPause  = 2 * time.Second
	// patience is how many consecutive requests may fail while waiting for a run.
	patience = 5
)

// await follows the run until it ends and prints it. If the run did not succeed,
// the error has the run's own code. With unclaimed, the run may not exist yet.
func (s *session) await(ctx context.Context, client *apiclient.Client, runID string, w waiting, unclaimed bool) error {
	run, err := s.follow(ctx, client, runID, w.Timeout, unclaimed)
	if err != nil {
		return err
	}
	err = outcome(run.Value)
	s.answer(run.Raw, func(p *printer) {
		if err != nil {
			p.run(run.Value) // the failure says what to do
			return
		}
		p.runAndNext(run.Value)
	})
	return err
}

// outcome returns nil for a run that succeeded, or else its error.
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
		e = surgical.NewError(surgical.CodeInternal, fmt.Sprintf("the run is %s, but has no error", run.Status))
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
			state = string(surgical.CodeOf(err)) + ", retrying"
		}
		elapsed := s.Clock().Sub(began)
		s.progress(runID, state, &last, elapsed)
		if elapsed >= timeout {
			return run, &surgical.Error{
				Code: CodeWaitTimeout, Action: surgical.ActionRetryAfter, Retryable: true, RunID: runID,
				Message: fmt.Sprintf("the run did not end within %s; it continues (last state: %s)", timeout, state),
			}
		}
		if err := s.Pause(ctx, min(pause, timeout-elapsed)); err != nil {
			return run, stillRunning(ctx, err, runID)
		}
	}
}

// stillRunning returns an error that says that the run continues, if the user
// interrupted the program, and err otherwise.
func stillRunning(ctx context.Context, err error, runID string) error {
	if ctx.Err() == nil {
		return err
	}
	e := failureOf(ctx, context.Cause(ctx))
	if errors.Is(ctx.Err(), context.Canceled) {
		e = &surgical.Error{Code: CodeInterrupted, Action: surgical.ActionRetryAfter, Retryable: true}
	}
	e.RunID, e.Message = runID, "interrupted; the run continues"
	return e
}

func stateOf(run apiclient.Run) string {
	state := string(run.Status)
	if run.Stage != "" && !run.Status.Terminal() {
		state += ", " + string(run.Stage)
	}
	if run.Error != nil && !run.Status.Terminal() {
		state += ", waiting: " + string(run.Error.Code)
	}
	return state
}

// progress updates one line on a terminal. Elsewhere it prints a line whenever the
// state changes.
func (s *session) progress(runID, state string, last *string, elapsed time.Duration) {
	if s.StderrTerminal {
		s.err.passing(fmt.Sprintf("%s  %s  %s", runID, state, duration.Text(elapsed)))
		return
	}
	if state != *last {
		s.err.line("%s  %s", runID, state)
		*last = state
	}
}
