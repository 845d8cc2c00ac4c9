package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type syncRunsCommand struct {
	RunID       string `placeholder:"ID" help:"One run."`
	RetryFailed bool   `help:"Retry what failed of it. Asked twice, it is the same new run."`
	Cancel      bool   `help:"Cancel it: a queued run never starts, a running one stops at its next safe point."`
	waiting
	Project string `short:"p" placeholder:"PROJECT" help:"Only runs of this project: number or path."`
	Issue   *int64 `placeholder:"IID" help:"Only runs of this issue (with -p)."`
	MR      *int64 `name:"mr" placeholder:"IID" help:"Only runs of this merge request (with -p)."`
	Status  string `placeholder:"STATUS" help:"Only runs with this status: queued, running, succeeded, failed, cancelled."`
	Limit   int    `default:"20" help:"At most so many runs (1 to 100)."`
	Cursor  string `placeholder:"CURSOR" help:"The next page of a list."`
}

// Help implements [kong.HelpProvider].
func (*syncRunsCommand) Help() string {
	return `Lists runs, the newest first; with --run-id it shows one.

Examples:

    lore sync-runs -p 1 --status failed

    lore sync-runs --run-id m5d2x7 --retry-failed --wait`
}

// Run implements the command.
func (c *syncRunsCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.RunID == "" {
		return c.list(ctx, s)
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	var run apiclient.Answer[apiclient.Run]
	switch {
	case c.RetryFailed:
		run, err = client.RetryFailed(ctx, c.RunID)
	case c.Cancel:
		run, err = client.Cancel(ctx, c.RunID)
	case c.Wait:
		return s.await(ctx, client, c.RunID, c.waiting, false)
	default:
		run, err = client.Run(ctx, c.RunID)
	}
	if err != nil {
		return err
	}
	if !c.Wait {
		s.answer(run.Raw, func(p *printer) { p.run(run.Value) })
		return nil
	}
	err = s.await(ctx, client, run.Value.RunID, c.waiting, false)
	if c.Cancel && surgical.CodeOf(err) == surgical.CodeRunCancelled {
		return nil // it is what was asked for
	}
	return err
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
		statuses := []surgical.RunStatus{surgical.StatusQueued, surgical.StatusRunning, surgical.StatusSucceeded, surgical.StatusFailed, surgical.StatusCancelled}
		switch {
		case c.Status != "" && !contains(statuses, c.Status):
			return invalid("--status must be one of %s, got %q", joined(statuses), c.Status)
		case (c.Issue != nil || c.MR != nil) && (c.Project == "" || c.Status != ""):
			return invalid("--issue and --mr need -p, and exclude --status")
		case c.Limit < 1 || c.Limit > 100:
			return invalid("--limit must lie between 1 and 100, got %d", c.Limit)
		}
		return nil
	}
	switch {
	case c.RetryFailed && c.Cancel:
		return invalid("--retry-failed and --cancel exclude each other")
	case c.Project != "" || c.Status != "" || c.Cursor != "" || c.Issue != nil || c.MR != nil:
		return invalid("-p, --issue, --mr, --status and --cursor belong to a list, --run-id %s names one run", c.RunID)
	}
	return cmp.Or(checkRunID(c.RunID), checkTimeout(c.waiting))
}

// checkRunID refuses what the API would.
func checkRunID(id string) error {
	if !regexp.MustCompile(`^[a-z0-9]{1,64}$`).MatchString(id) {
		return invalid("a run's id has up to 64 small letters and digits, got %q", id)
	}
	return nil
}

func contains[T ~string](all []T, one string) bool {
	for _, v := range all {
		if string(v) == one {
			return true
		}
	}
	return false
}

func joined[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

func (c *syncRunsCommand) list(ctx context.Context, s *session) error {
	filter := apiclient.Filter{Status: surgical.RunStatus(c.Status), Limit: c.Limit, Cursor: c.Cursor}
	var err error
	if c.Issue != nil || c.MR != nil {
		if filter.Target, err = oneTarget(c.Issue, c.MR); err != nil {
			return err
		}
	}
	if c.Project != "" {
		if filter.ProjectID, err = s.projectID(ctx, c.Project); err != nil {
			return err
		}
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	list, err := client.Runs(ctx, filter)
	if err != nil {
		return err
	}
	s.answer(list.Raw, func(p *printer) { p.runs(list.Value) })
	return nil
}

// runs prints a list of runs.
func (p *printer) runs(list apiclient.RunList) {
	if len(list.Runs) == 0 && list.NextCursor == "" {
		p.line("no runs")
	}
	var rows [][]cell
	for _, r := range list.Runs {
		rows = append(rows, []cell{
			plain("%s", r.RunID), p.status(string(r.Status)), plain("%s", r.Stage), plain("%s", r.Origin), plain("%d", r.ProjectID),
			plain("%s", targets(r.Targets, 3)), plain("%s", moment(r.CreatedAt)), {string(r.Code), p.bad},
		})
	}
	p.table([]string{"RUN", "STATUS", "STAGE", "ORIGIN", "PROJECT", "TARGETS", "CREATED", "ERROR"}, rows)
	if list.NextCursor != "" {
		p.line("%s", p.faint.Sprintf("more: --cursor %s", list.NextCursor))
	}
}

// targets names the first of them.
func targets(all []surgical.Target, most int) string {
	var names []string
	for i, t := range all {
		if i == most && len(all) > most+1 {
			names = append(names, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		names = append(names, t.String())
	}
	return strings.Join(names, " ")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
