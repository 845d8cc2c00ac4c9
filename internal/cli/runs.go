package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type runsCommands struct {
	List   runsListCommand   `cmd:"" default:"withargs" help:"List runs, newest first."`
	View   runsViewCommand   `cmd:"" help:"Show a run with the outcome of its targets."`
	Watch  runsWatchCommand  `cmd:"" help:"Follow a run until it ends; exit with the exit code of its failure."`
	Retry  runsRetryCommand  `cmd:"" help:"Retry the failed targets of a run, or of all that failed recently."`
	Cancel runsCancelCommand `cmd:"" help:"Cancel a run."`
}

// runFilter are the flags of a list of runs.
type runFilter struct {
	Entity  string `arg:"" optional:"" help:"Only runs of this entity: 1#7, group/project#7, group/project!3, or its URL in GitLab."`
	Project string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Only runs of this project (ID, path such as group/project, or URL in GitLab)."`
	Issue   *int64 `placeholder:"IID" help:"Only runs of this issue (with -p)."`
	MR      *int64 `name:"mr" placeholder:"IID" help:"Only runs of this merge request (with -p)."`
	Status  string `placeholder:"STATUS" completion-predictor:"status" help:"Only runs with this status: queued, running, succeeded, failed, cancelled."`
	Limit   int    `short:"L" default:"20" help:"Maximum number of runs (1 to 100)."`
	Cursor  string `placeholder:"CURSOR" help:"Cursor of the next page, from the previous one."`
}

type runsListCommand struct{ runFilter }

// Help implements [kong.HelpProvider].
func (*runsListCommand) Help() string {
	return `Tables show the beginning of each run's id, which every command accepts in place of the id. With --robot, ids are whole.

Examples:

    lore runs list -p group/project --status failed

    lore runs list 'group/project#7'`
}

// Run implements the command.
func (c *runsListCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.list(ctx, s)
}

func (c *runFilter) check() error {
	switch {
	case c.Entity != "" && !strings.ContainsAny(c.Entity, "#!/"):
		return invalid("%q is neither a command of lore runs (lore runs --help) nor an entity such as group/project#7", c.Entity)
	case c.Status != "" && !slices.Contains(surgical.RunStatuses(), surgical.RunStatus(c.Status)):
		return invalid("%s", notOneOf("--status", texts(surgical.RunStatuses()), c.Status))
	case (c.Issue != nil || c.MR != nil) && c.Project == "":
		return invalid("--issue and --mr need -p")
	case (c.Issue != nil || c.MR != nil || c.Entity != "") && c.Status != "":
		return invalid("an entity cannot be combined with --status")
	case c.Limit < 1 || c.Limit > 100:
		return invalid("--limit must be between 1 and 100, got %d", c.Limit)
	}
	return nil
}

func joined[T ~string](all []T) string { return strings.Join(texts(all), ", ") }

func texts[T ~string](all []T) []string {
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = string(v)
	}
	return texts
}

func (c *runFilter) list(ctx context.Context, s *session) error {
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
	s.answer(list.Raw, func(p *printer) { p.runs(list.Value, s.times()) })
	return nil
}

// runs prints a list of runs.
func (p *printer) runs(list apiclient.RunList, at times) {
	if len(list.Runs) == 0 && list.NextCursor == "" {
		p.line("no runs")
	}
	short := shortened(list.Runs, func(r apiclient.Run) string { return r.RunID })
	var rows [][]cell
	for i, r := range list.Runs {
		status := p.status(string(r.Status))
		if r.Stage != "" && !r.Status.Terminal() {
			status.text += ", " + string(r.Stage)
		}
		rows = append(rows, []cell{
			plain("%s", short[i]), status, plain("%s", r.Origin), plain("%s", references(r, 2)), plain("%s", at.text(r.CreatedAt)), {string(r.Code), p.bad},
		})
	}
	p.table([]string{"RUN", "STATUS", "ORIGIN", "TARGETS", "CREATED", "ERROR"}, rows)
	if list.NextCursor != "" {
		p.hint("next page", "--cursor "+list.NextCursor)
	}
}

// references lists the first most targets of a run as commands take them: 1#7, 1!3.
func references(r apiclient.Run, most int) string {
	return firstOf(r.Targets, most, func(t surgical.Target) string {
		return advice.Reference(surgical.EntityRef{ProjectID: r.ProjectID, Target: t})
	})
}

// targets lists the first most targets.
func targets(all []surgical.Target, most int) string {
	return firstOf(all, most, surgical.Target.String)
}

// firstOf lists the first most targets by name, and how many more there are.
func firstOf(all []surgical.Target, most int, name func(surgical.Target) string) string {
	var names []string
	for i, t := range all {
		if i == most && len(all) > most+1 {
			names = append(names, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		names = append(names, name(t))
	}
	return strings.Join(names, " ")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
