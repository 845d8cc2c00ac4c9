package cli

import (
	"context"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

type drainCommand struct {
	Project string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Only entities of this project (ID or path)."`
}

// Help implements [kong.HelpProvider].
func (*drainCommand) Help() string {
	return `Finishes the documents and embeddings of failed runs, including those that wait after a failure or are held back because the embedder refused them. Use it after you have removed the cause. Nothing is fetched from GitLab.

Examples:

    lore drain

    lore drain -p 1`
}

// Run implements the command.
func (c *drainCommand) Run(ctx context.Context, s *session) error {
	project, err := s.anyProjectID(ctx, c.Project)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	drain, err := client.RequestDrain(ctx, project)
	if err != nil {
		return err
	}
	s.answer(drain.Raw, func(p *printer) { p.drain(drain.Value) })
	return nil
}

// drain prints an accepted request.
func (p *printer) drain(d apiclient.Drain) {
	project := plain("all")
	if d.ProjectID != 0 {
		project = plain("%d", d.ProjectID)
	}
	p.pairs(
		pair("project", project),
		pair("undone entities", plain("%d, including those that a run is working on", d.Undone)),
		pair("starts by", plain("%s", moment(d.StartsBy))),
	)
	p.line("")
	p.next([]advice.Step{{Text: "Follow the drain runs.", Command: advice.RunsCommand}})
}
