package cli

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// followInterval is the time between two looks at the change feed.
const followInterval = 5 * time.Second

type changesCommand struct {
	Project string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Only changes of this project (ID or path)."`
	Since   string `placeholder:"PLACE" help:"The place after the last change that you have seen, from an earlier call. Without it, changes from now on."`
	Limit   int    `default:"50" help:"Maximum number of changes of one call (1 to 100)."`
	Follow  bool   `short:"f" help:"Go on printing changes until interrupted."`
}

// Help implements [kong.HelpProvider].
func (*changesCommand) Help() string {
	return `Lists which issues and merge requests changed, in the order of the changes, as they are now. Nothing is left out: keep the place that it prints, and go on from there within 30 days. If it says feed_restarted, read everything once (lore export), and begin without --since.

Examples:

    lore changes --follow

    lore changes -p group/project --since eyJsIjoiY2hhbmdlcyIs`
}

// Run implements the command.
func (c *changesCommand) Run(ctx context.Context, s *session) error {
	switch {
	case c.Limit < 1 || c.Limit > 100:
		return invalid("--limit must be between 1 and 100, got %d", c.Limit)
	case c.Follow && s.robot:
		return invalid("--follow and --robot exclude each other: one envelope has no end")
	}
	project, err := s.anyProjectID(ctx, c.Project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	list, err := client.Changes(ctx, c.Since, project, c.Limit)
	if err != nil {
		return err
	}
	s.answer(list.Raw, func(p *printer) {
		p.changes(list.Value.Changes)
		if !c.Follow {
			p.line("%s", paint(p.faint, "go on with: --since %s", list.Value.Next))
		}
	})
	for c.Follow {
		if err := s.written(); err != nil {
			return err
		}
		if !list.Value.More {
			if err := s.Pause(ctx, followInterval); err != nil {
				return err
			}
		}
		if list, err = client.Changes(ctx, list.Value.Next, project, c.Limit); err != nil {
			return err
		}
		s.out.changes(list.Value.Changes)
	}
	return nil
}

// changes prints one line per change.
func (p *printer) changes(changes []apiclient.Change) {
	var rows [][]cell
	for _, c := range changes {
		what := cell{c.Entity.State, nil}
		if c.Gone {
			what = cell{"gone", p.warn}
		}
		ref := surgical.EntityRef{ProjectID: c.ProjectID, Target: c.Target}
		rows = append(rows, []cell{plain("%s", moment(c.ChangedAt)), plain("%s", ref), what, plain("%s", c.Entity.Title)})
	}
	p.columns(rows)
}
