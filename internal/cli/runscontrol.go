package cli

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// oneRun is the argument of commands for one run.
type oneRun struct {
	Run string `arg:"" name:"run" placeholder:"RUN" completion-predictor:"run" help:"The run's id, or its beginning."`
}

// find returns a client and the run's id.
func (o oneRun) find(ctx context.Context, s *session) (*apiclient.Client, string, error) {
	if err := checkRunID(o.Run); err != nil {
		return nil, "", err
	}
	client, err := s.client(ctx)
	if err != nil {
		return nil, "", err
	}
	id, err := s.runID(ctx, client, o.Run)
	return client, id, err
}

type runsViewCommand struct {
	oneRun `embed:""`
}

// Help implements [kong.HelpProvider].
func (*runsViewCommand) Help() string {
	return `Example:

    lore runs view m5d2x7aa`
}

// Run implements the command.
func (c *runsViewCommand) Run(ctx context.Context, s *session) error {
	client, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	run, err := client.Run(ctx, id)
	if err != nil {
		return err
	}
	s.answer(run.Raw, func(p *printer) { p.runAndNext(run.Value) })
	return nil
}

type runsWatchCommand struct {
	oneRun  `embed:""`
	Timeout time.Duration `default:"10m" help:"Maximum time to wait; the run itself continues."`
}

// Help implements [kong.HelpProvider].
func (*runsWatchCommand) Help() string {
	return `Progress is on stderr; the run is printed on stdout when it has ended.

Example:

    lore runs watch m5d2x7aa --timeout 2m`
}

// Run implements the command.
func (c *runsWatchCommand) Run(ctx context.Context, s *session) error {
	w := waiting{Wait: true, Timeout: c.Timeout}
	if err := checkTimeout(w); err != nil {
		return err
	}
	client, id, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	return s.await(ctx, client, id, w, false)
}

type runsCancelCommand struct {
	oneRun `embed:""`
	waiting
}

// Help implements [kong.HelpProvider].
func (*runsCancelCommand) Help() string {
	return `A queued run never starts, a running one stops at its next safe point.

Example:

    lore runs cancel m5d2x7aa`
}

// Run implements the command.
func (c *runsCancelCommand) Run(ctx context.Context, s *session) error {
	err := c.change(ctx, s, c.waiting, (*apiclient.Client).Cancel)
	if c.Wait && surgical.CodeOf(err) == surgical.CodeRunCancelled {
		return nil // the requested outcome
	}
	return err
}

// change retries or cancels the run, and prints the run that the API returns, or waits
// for it.
func (o oneRun) change(ctx context.Context, s *session, w waiting, change func(*apiclient.Client, context.Context, string) (apiclient.Answer[apiclient.Run], error)) error {
	if err := checkTimeout(w); err != nil {
		return err
	}
	client, id, err := o.find(ctx, s)
	if err != nil {
		return err
	}
	run, err := change(client, ctx, id)
	if err != nil {
		return err
	}
	if w.Wait {
		return s.await(ctx, client, run.Value.RunID, w, false)
	}
	s.answer(run.Raw, func(p *printer) { p.runAndNext(run.Value) })
	return nil
}
