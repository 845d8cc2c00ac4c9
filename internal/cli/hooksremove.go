package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

type hooksRemoveCommand struct {
	hookOwner
	hookURL
	Yes    bool `short:"y" help:"Do not ask."`
	DryRun bool `help:"Only print what would be removed."`
}

// Help implements [kong.HelpProvider].
func (*hooksRemoveCommand) Help() string {
	return `Removes the webhooks that have Lorehook's URL, and no others. From then on only reconcile finds what changes. Asks first if it runs on a terminal; elsewhere it needs --yes.

` + hooksNeed + `

Example:

    lore hooks remove -p group/project --api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

// Run implements the command.
func (c *hooksRemoveCommand) Run(ctx context.Context, s *session) error {
	h, address, found, err := s.hooksAt(ctx, c.hookOwner, c.hookURL)
	if err != nil {
		return err
	}
	removed := []int64{}
	if len(found) > 0 && !c.DryRun && !c.Yes {
		if err := s.confirm(fmt.Sprintf("Remove %s for %s from %s?", counted(len(found), "hook", "hooks"), address, h.owner)); err != nil {
			return err
		}
	}
	for _, one := range found {
		if !c.DryRun {
			if err := h.delete(ctx, one.ID); err != nil {
				return err
			}
		}
		removed = append(removed, one.ID)
	}
	s.answer(map[string]any{"dry_run": c.DryRun, "removed": removed}, func(p *printer) {
		verb := "removed"
		if c.DryRun {
			verb = "would remove"
		}
		for _, id := range removed {
			p.line("%s hook %v of %s", verb, id, h.owner)
		}
		if len(removed) == 0 {
			p.sentence("%s has no hook for %s", h.owner, address)
		}
	})
	return nil
}

// confirm asks on the terminal, and returns an error unless the answer is yes.
func (s *session) confirm(question string) error {
	if !s.StdinTerminal || s.robot {
		return invalid("this needs a confirmation; pass --yes")
	}
	fmt.Fprintf(s.Stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(s.Stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	return invalid("nothing was done, because the answer was not yes")
}
