package cli

import (
	"cmp"
	"context"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

// syncRunsCommand is what scripts used before [runsCommands]. It stays as it was, and is
// not shown in the help.
type syncRunsCommand struct {
	RunID       string `placeholder:"ID" help:"The run to show, retry, cancel or wait for."`
	RetryFailed bool   `help:"Retry the failed targets of the run. Repeating the command returns the same new run."`
	Cancel      bool   `help:"Cancel the run: a queued run never starts, a running one stops at its next safe point."`
	waiting
	runFilter
}

// Help implements [kong.HelpProvider].
func (*syncRunsCommand) Help() string {
	return `The former name of: lore runs list, view, watch, retry and cancel.

Examples:

    lore sync-runs -p group/project --status failed

    lore sync-runs --run-id m5d2x7 --retry-failed --wait`
}

// Run implements the command.
func (c *syncRunsCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	of := oneRun{c.RunID}
	switch {
	case c.RunID == "":
		return c.list(ctx, s)
	case c.RetryFailed:
		return of.change(ctx, s, c.waiting, (*apiclient.Client).RetryFailed)
	case c.Cancel:
		return (&runsCancelCommand{of, c.waiting}).Run(ctx, s)
	case c.Wait:
		return (&runsWatchCommand{of, c.Timeout}).Run(ctx, s)
	}
	return (&runsViewCommand{of}).Run(ctx, s)
}

func (c *syncRunsCommand) check() error {
	if c.RunID == "" {
		for _, flag := range []struct {
			name string
			set  bool
		}{{"--retry-failed", c.RetryFailed}, {"--cancel", c.Cancel}, {"--wait", c.Wait}} {
			if flag.set {
				return invalid("%s needs --run-id", flag.name)
			}
		}
		return c.runFilter.check()
	}
	switch {
	case c.RetryFailed && c.Cancel:
		return invalid("--retry-failed and --cancel cannot be combined")
	case c.Entity != "" || c.Project != "" || c.Status != "" || c.Cursor != "" || c.Issue != nil || c.MR != nil:
		return invalid("an entity, -p, --issue, --mr, --status and --cursor filter a list and cannot be combined with --run-id %s", c.RunID)
	}
	return cmp.Or(checkRunID(c.RunID), checkTimeout(c.waiting))
}
