package cli

import (
	"context"
	"net/url"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type openCommand struct {
	Entity string `arg:"" help:"The entity: 1#7, group/project#7, group/project!3, or its URL in GitLab."`
	Print  bool   `help:"Print the URL instead."`
}

// Help implements [kong.HelpProvider].
func (*openCommand) Help() string {
	return `Takes the URL from the stored copy. Without a terminal, and with --robot, it is printed.

Examples:

    lore open 1#7

    lore open 'group/project!12' --print`
}

// Run implements the command.
func (c *openCommand) Run(ctx context.Context, s *session) error {
	ref, err := s.entity(ctx, "", nil, nil, c.Entity)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	entity, err := client.EntityFields(ctx, ref, "web_url")
	if err != nil {
		return err
	}
	page := entity.Value.WebURL
	// Anyone who controls GitLab's answers chooses it.
	if u, err := url.Parse(page); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return surgical.NewError(surgical.CodeInternal, "the stored copy has no URL of a web page")
	}
	if !c.Print && !s.robot && s.StdoutTerminal {
		if err := s.Browse(page); err == nil {
			return nil
		}
	}
	s.answer(map[string]string{"web_url": page}, func(p *printer) { p.line("%s", page) })
	return nil
}
