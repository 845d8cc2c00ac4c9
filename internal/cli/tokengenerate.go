package cli

import "gitlab.com/lorehook/lorehook/internal/token"

type tokenCommands struct {
	Generate tokenGenerateCommand `cmd:"" help:"Print a new token for webhooks."`
}

type tokenGenerateCommand struct {
	SecretToken bool `help:"Print a secret token, for a GitLab that does not sign webhooks."`
}

// Help implements [kong.HelpProvider].
func (*tokenGenerateCommand) Help() string {
	return `Prints a new random token and nothing else: a signing token (whsec_ and the base64 of 32 bytes, as Standard Webhooks and GitLab have them), or a secret token. It is not stored or sent anywhere: put it into the stack's secret, and give it to GitLab with lore hooks add.

Examples:

    lore token generate

    lore token generate --secret-token`
}

// Run implements the command.
func (c *tokenGenerateCommand) Run(s *session) error {
	generated := map[string]string{}
	if c.SecretToken {
		generated["secret_token"] = token.NewSecret()
	} else {
		generated["signing_token"] = token.NewSigning()
	}
	s.answer(generated, func(p *printer) {
		for _, t := range generated {
			p.line("%s", t)
		}
	})
	return nil
}
