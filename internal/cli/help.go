package cli

import (
	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

type helpCommand struct {
	Topic []string `arg:"" optional:"" help:"A command, or exit-codes."`
}

// Help implements [kong.HelpProvider].
func (*helpCommand) Help() string {
	return `Examples:

    lore help exit-codes

    lore help hooks add`
}

// Run implements the command.
func (c *helpCommand) Run(k *kong.Kong, s *session) error {
	if len(c.Topic) == 1 && c.Topic[0] == "exit-codes" {
		s.answer(map[string]any{"exit_codes": exitCodes()}, func(p *printer) {
			var rows [][]cell
			for _, e := range exitCodes() {
				rows = append(rows, []cell{plain("%d", e.Exit), plain("%s", e.Code), plain("%s", e.About)})
			}
			p.table([]string{"EXIT", "CODE", "MEANS"}, rows)
		})
		return nil
	}
	if _, err := k.Parse(append(c.Topic, "--help")); err != nil {
		return usage(err)
	}
	return nil
}

type versionCommand struct{}

// Help implements [kong.HelpProvider].
func (*versionCommand) Help() string {
	return `Example:

    lore version --robot`
}

// Run implements the command.
func (*versionCommand) Run(s *session) error {
	s.answer(s.Build, func(p *printer) { p.line("lore %s", s.Build) })
	return nil
}

// versionFlag is the version command as a flag.
type versionFlag bool

// BeforeReset implements kong's hook: no command is needed.
func (versionFlag) BeforeReset(k *kong.Kong, s *session) error {
	err := (&versionCommand{}).Run(s)
	k.Exit(0)
	return err
}

type completionCommand struct{ kongcompletion.Completion }

// Help implements [kong.HelpProvider].
func (*completionCommand) Help() string {
	return `Supports bash, zsh and fish. The default is your login shell.

Example:

    source <(lore completion -c bash)`
}
