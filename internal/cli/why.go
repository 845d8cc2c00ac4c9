package cli

import (
	"bytes"
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

type whyCommand struct {
	Entity string `arg:"" help:"The entity: 1#7, group/project#7, group/project!3, or its URL in GitLab."`
	JSON   bool   `name:"json" help:"Print one JSON document instead."`
}

// Help implements [kong.HelpProvider].
func (*whyCommand) Help() string {
	return `Explains the state of an entity's copy: whether readers see it and, if not, why; the last delivery and runs; what is undone or pending; and how complete its project is. It also answers for an entity without a copy, and shows no content.

Examples:

    lore why 1#7

    lore why 'group/project!3' --json

    lore why https://gitlab.example.com/group/project/-/issues/7`
}

// Run implements the command.
func (c *whyCommand) Run(ctx context.Context, s *session) error {
	ref, err := s.entity(ctx, "", nil, nil, c.Entity)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	why, err := client.Why(ctx, ref)
	if err != nil {
		return err
	}
	s.answer(why.Raw, func(p *printer) {
		if c.JSON {
			fmt.Fprintf(p.w, "%s\n", plaintext.JSON(bytes.TrimSpace(why.Raw)))
			return
		}
		p.why(why.Value, s.times())
	})
	return nil
}

// why prints the sentences, and the runs that they are about.
func (p *printer) why(w apiclient.Why, at times) {
	for i, sentence := range w.Sentences {
		colour := p.strong
		if i > 0 {
			colour = nil
		}
		p.wrapped(colour, "%s", sentence)
	}
	if len(w.Runs) > 0 {
		p.line("")
		p.runs(apiclient.RunList{Runs: w.Runs}, at)
	}
}
