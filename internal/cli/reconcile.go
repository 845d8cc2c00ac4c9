package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type reconcileCommand struct {
	Project string        `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Compare this project (ID, path such as group/project, or URL in GitLab)."`
	All     bool          `help:"Compare all projects."`
	Detach  bool          `help:"Do not wait for the end."`
	Timeout time.Duration `default:"10m" help:"Maximum time to wait; the reconcile itself continues."`
}

// Help implements [kong.HelpProvider].
func (*reconcileCommand) Help() string {
	return `Compares what changed in GitLab with the copy immediately, without waiting for the schedule, and waits until everything that differed is fetched.

Examples:

    lore reconcile -p group/project

    lore reconcile --all --detach`
}

// Run implements the command.
func (c *reconcileCommand) Run(ctx context.Context, s *session) error {
	switch {
	case (c.Project == "") != c.All:
		return invalid("specify either -p or --all")
	case c.Timeout <= 0:
		return invalid("--timeout must be positive, got %s", c.Timeout)
	}
	req, projectID := apiclient.ReconcileRequest{All: c.All}, int64(0)
	if !c.All {
		var err error
		if projectID, err = s.projectID(ctx, c.Project); err != nil {
			return err
		}
		req.Project = strconv.FormatInt(projectID, 10)
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	list, err := client.StartReconcile(ctx, req)
	if err == nil && !c.Detach {
		list, err = c.watch(ctx, s, client, projectID, list.Value)
	}
	if err != nil {
		return err
	}
	s.answer(list.Raw, func(p *printer) { p.reconciles(list.Value, s.times()) })
	for _, r := range list.Value.Reconciles {
		if r.Status == surgical.StatusFailed && r.Error != nil {
			return r.Error.Err()
		}
	}
	return nil
}

// watch waits until every requested reconcile has ended.
func (c *reconcileCommand) watch(ctx context.Context, s *session, client *apiclient.Client, projectID int64, requested apiclient.ReconcileList) (apiclient.Answer[apiclient.ReconcileList], error) {
	began, failed, last := s.Clock(), 0, ""
	for {
		list, err := client.Reconciles(ctx, projectID)
		open := len(requested.Reconciles)
		switch {
		case err == nil:
			failed = 0
			open = unended(requested, list.Value)
		default:
			if failed++; ctx.Err() != nil || failed > patience || !surgical.AsError(err).Retryable {
				return list, err
			}
		}
		elapsed := s.Clock().Sub(began)
		s.progress("reconcile", fmt.Sprintf("%d of %d projects compared", len(requested.Reconciles)-open, len(requested.Reconciles)), &last, elapsed)
		switch {
		case open == 0:
			s.err.clear()
			return list, nil
		case elapsed >= c.Timeout:
			return list, &surgical.Error{
				Code: CodeWaitTimeout, Action: surgical.ActionRetryAfter, Retryable: true,
				Message: fmt.Sprintf("%s not compared within %s; the reconcile continues", counted(open, "project was", "projects were"), c.Timeout),
			}
		}
		if err := s.Pause(ctx, watchPause); err != nil {
			return list, err
		}
	}
}

// unended counts the requested reconciles that have not begun since, or not ended.
func unended(requested, now apiclient.ReconcileList) (open int) {
	for _, r := range requested.Reconciles {
		i := slices.IndexFunc(now.Reconciles, func(n apiclient.Reconcile) bool { return n.ProjectID == r.ProjectID })
		if i < 0 || !now.Reconciles[i].Status.Terminal() || !now.Reconciles[i].BeganAt.After(r.RequestedAt) {
			open++
		}
	}
	return open
}

// reconciles prints the reconciles of projects.
func (p *printer) reconciles(list apiclient.ReconcileList, at times) {
	if len(list.Reconciles) == 0 {
		p.line("no projects")
	}
	var rows [][]cell
	for _, r := range list.Reconciles {
		row := []cell{
			plain("%d", r.ProjectID), plain("%s", r.Path), p.status(string(r.Status)), plain("%s", at.short(r.BeganAt)), plain("%s", thousands(r.Listed)),
			plain("%s", thousands(r.Different)), plain("%s", thousands(r.Requests)), {},
		}
		if r.Error != nil {
			row[7] = cell{string(r.Error.Code) + ": " + r.Error.Message, p.bad}
		}
		rows = append(rows, row)
	}
	p.table([]string{"PROJECT", "PATH", "STATUS", "BEGAN", "LISTED", "DIFFERENT", "REQUESTS", "ERROR"}, rows)
}
