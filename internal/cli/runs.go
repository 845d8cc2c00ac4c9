package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type syncRunsCommand struct {
	RunID       string `placeholder:"ID" help:"The run to show, retry, cancel or wait for."`
	RetryFailed bool   `help:"Retry the failed targets of the run. Repeating the command returns the same new run."`
	Cancel      bool   `help:"Cancel the run: a queued run never starts, a running one stops at its next safe point."`
	waiting
	Entity  string `arg:"" optional:"" help:"Only runs of this entity: 1#7, group/project#7, group/project!3, or its URL in GitLab."`
	Project string `short:"p" placeholder:"PROJECT" help:"Only runs of this project (ID, path such as group/project, or URL in GitLab)."`
	Issue   *int64 `placeholder:"IID" help:"Only runs of this issue (with -p)."`
	MR      *int64 `name:"mr" placeholder:"IID" help:"Only runs of this merge request (with -p)."`
	Status  string `placeholder:"STATUS" help:"Only runs with this status: queued, running, succeeded, failed, cancelled."`
	Limit   int    `default:"20" help:"Maximum number of runs (1 to 100)."`
	Cursor  string `placeholder:"CURSOR" help:"Cursor of the next page, from the previous one."`
}

// Help implements [kong.HelpProvider].
func (*syncRunsCommand) Help() string {
	return `Without --run-id it lists runs, newest first.

Examples:

    lore sync-runs -p group/project --status failed

    lore sync-runs 'group/project#7'

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
		return nil // the requested outcome
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
		switch {
		case c.Status != "" && !slices.Contains(surgical.RunStatuses(), surgical.RunStatus(c.Status)):
			return invalid("--status must be one of %s, got %q", joined(surgical.RunStatuses()), c.Status)
		case (c.Issue != nil || c.MR != nil) && c.Project == "":
			return invalid("--issue and --mr need -p")
		case (c.Issue != nil || c.MR != nil || c.Entity != "") && c.Status != "":
			return invalid("an entity cannot be combined with --status")
		case c.Limit < 1 || c.Limit > 100:
			return invalid("--limit must be between 1 and 100, got %d", c.Limit)
		}
		return nil
	}
	switch {
	case c.RetryFailed && c.Cancel:
		return invalid("--retry-failed and --cancel cannot be combined")
	case c.Entity != "" || c.Project != "" || c.Status != "" || c.Cursor != "" || c.Issue != nil || c.MR != nil:
		return invalid("an entity, -p, --issue, --mr, --status and --cursor filter a list and cannot be combined with --run-id %s", c.RunID)
	}
	return cmp.Or(checkRunID(c.RunID), checkTimeout(c.waiting))
}

// checkRunID rejects ids that the API would reject.
func checkRunID(id string) error {
	if !regexp.MustCompile(`^[a-z0-9]{1,64}$`).MatchString(id) {
		return invalid("a run id has 1 to 64 lowercase letters and digits, got %q", id)
	}
	return nil
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
	if c.Project != "" || c.Entity != "" {
		selected, err := s.selected(c.Project, given(c.Issue), given(c.MR), given(nonEmpty(c.Entity)))
		if err != nil {
			return err
		}
		if len(selected.targets) > 0 {
			if filter.Target, err = selected.one(); err != nil {
				return err
			}
		}
		if filter.ProjectID, err = s.projectID(ctx, selected.project); err != nil {
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
		p.line("%s", paint(p.faint, "next page: --cursor %s", list.NextCursor))
	}
}

// targets lists the first most targets, and how many more there are.
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
