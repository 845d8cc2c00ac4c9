package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/advice"
	adapter "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type hooksAddCommand struct {
	hookOwner
	hookURL
	SecretToken bool `help:"Set the secret token too if this GitLab signs webhooks. A GitLab that does not sign gets it anyway."`
	DryRun      bool `help:"Only print what would be done."`
}

// Help implements [kong.HelpProvider].
func (*hooksAddCommand) Help() string {
	return `The webhook sends issue, merge request and comment events, including confidential ones, and signs them with the first of GITLAB_WEBHOOK_SIGNING_TOKENS. A GitLab version that does not support signing ignores that token, and gets the first of GITLAB_WEBHOOK_SECRET_TOKENS; without such a token, the new webhook is removed again. A webhook that exists is updated, and others with the same URL are removed. The command can be repeated at any time.

` + hooksNeed + `

Example:

    lore hooks add -p group/project --api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

// hookSettings is the body of a request that adds or changes a hook.
type hookSettings struct {
	URL                string  `json:"url"`
	VerifiesTLS        bool    `json:"enable_ssl_verification"`
	Push               bool    `json:"push_events"`
	Issues             bool    `json:"issues_events"`
	ConfidentialIssues bool    `json:"confidential_issues_events"`
	MergeRequests      bool    `json:"merge_requests_events"`
	Notes              bool    `json:"note_events"`
	ConfidentialNotes  bool    `json:"confidential_note_events"`
	SigningToken       *string `json:"signing_token,omitempty"`
	Token              *string `json:"token,omitempty"`
}

// settingsOf are the settings that Lorehook needs, without tokens: GitLab keeps those
// that a request does not name.
func settingsOf(address string) hookSettings {
	return hookSettings{URL: address, VerifiesTLS: true, Issues: true, ConfidentialIssues: true, MergeRequests: true, Notes: true, ConfidentialNotes: true}
}

// Run implements the command.
func (c *hooksAddCommand) Run(ctx context.Context, s *session) error {
	hook, err := s.webhook(c.URL)
	if err != nil {
		return err
	}
	switch {
	case c.SecretToken && hook.secretToken == "":
		return remedy(surgical.CodeInvalidRequest, newToken(secretTokensVariable, "lore token generate --secret-token"), "--secret-token needs "+secretTokensVariable)
	case hook.signingToken == "" && hook.secretToken == "":
		return remedy(surgical.CodeInvalidRequest, newToken(signingTokensVariable, "lore token generate"),
			"no token for the hook: set %s, or %s for a GitLab that does not sign", signingTokensVariable, secretTokensVariable)
	}
	h, err := s.hooks(ctx, c.hookOwner)
	if err != nil {
		return err
	}
	found, err := h.at(ctx, hook.url)
	if err != nil {
		return err
	}
	if c.DryRun {
		s.answerPlan(h, hook.url, found)
		return nil
	}
	created := len(found) == 0
	added, err := c.put(ctx, h, hook, found)
	if err != nil {
		return err
	}
	if !added.SigningToken && !added.Token {
		return c.unsigned(ctx, h, added, created)
	}
	kept, removed, err := h.keepOne(ctx, hook.url, added)
	if err != nil {
		return err
	}
	view := viewHook(kept)
	s.answer(map[string]any{"hook": view, "created": created, "removed": removed}, func(p *printer) {
		p.hooks([]hookView{view})
		for _, id := range removed {
			p.line("removed hook %v, which has the same URL", id)
		}
		if created {
			p.line("%s", paint(p.good, "added"))
		} else {
			p.line("%s", paint(p.good, "updated"))
		}
	})
	if !added.SigningToken && hook.signingToken != "" {
		s.err.sentence("this GitLab does not sign webhooks (signing_token_present is false): deliveries have only the secret token")
	}
	return nil
}

// newToken says how to give this program a token for webhooks.
func newToken(variable, generate string) advice.Step {
	return advice.Step{Text: "Set the variable to a token of the stack's secret, or to a new one, which you store there as well.", Command: "export " + variable + `="$(` + generate + `)"`}
}

// answerPlan says what add would do.
func (s *session) answerPlan(h hooks, address string, found []adapter.Hook) {
	plan := struct {
		DryRun bool       `json:"dry_run"`
		Add    bool       `json:"add"`
		Update []hookView `json:"update"`
		Remove []int64    `json:"remove"`
	}{DryRun: true, Add: len(found) == 0, Update: []hookView{}, Remove: []int64{}}
	for i, hook := range found {
		if i == 0 {
			plan.Update = append(plan.Update, viewHook(hook))
		} else {
			plan.Remove = append(plan.Remove, hook.ID)
		}
	}
	s.answer(plan, func(p *printer) {
		if plan.Add {
			p.sentence("would add a hook for %s to %s", address, h.owner)
			return
		}
		p.hooks(plan.Update)
		p.line("would update hook %v of %s", found[0].ID, h.owner)
		for _, id := range plan.Remove {
			p.line("would remove hook %v, which has the same URL", id)
		}
	})
}

// put updates the oldest hook that has the URL, or else adds one. Every request leaves
// a hook whose deliveries Lorehook accepts, if there is a token for this GitLab: the
// secret token is removed only once GitLab has the signing token.
func (c *hooksAddCommand) put(ctx context.Context, h hooks, hook webhook, found []adapter.Hook) (adapter.Hook, error) {
	settings := settingsOf(hook.url)
	if hook.signingToken != "" {
		settings.SigningToken = &hook.signingToken
	}
	signed := len(found) > 0 && found[0].SigningToken
	if hook.secretToken != "" && (c.SecretToken || !signed) {
		settings.Token = &hook.secretToken
	}
	method, at := http.MethodPost, ""
	if len(found) > 0 {
		method, at = http.MethodPut, below(found[0].ID)
	}
	put, err := h.write(ctx, method, at, settings)
	if err != nil || c.SecretToken || settings.Token == nil || !put.SigningToken || hook.signingToken == "" {
		return put, err
	}
	unset := settingsOf(hook.url)
	unset.Token = new("")
	return h.write(ctx, http.MethodPut, below(put.ID), unset)
}

// keepOne removes every hook with the URL but the oldest, and returns that. Two
// programs that add a hook at the same time keep the same one.
func (h hooks) keepOne(ctx context.Context, address string, added adapter.Hook) (kept adapter.Hook, removed []int64, err error) {
	found, err := h.at(ctx, address)
	if err != nil {
		return added, nil, err
	}
	removed = []int64{}
	if !slices.ContainsFunc(found, func(hook adapter.Hook) bool { return hook.ID == added.ID }) {
		return added, removed, nil // another program has removed it, and knows the one to keep
	}
	for _, hook := range found[1:] {
		if err := h.delete(ctx, hook.ID); err != nil {
			return added, removed, err
		}
		removed = append(removed, hook.ID)
	}
	return found[0], removed, nil
}

// unsigned removes a new hook that GitLab neither signs nor gives a token: Lorehook
// would refuse all its deliveries, and GitLab would eventually disable it.
func (c *hooksAddCommand) unsigned(ctx context.Context, h hooks, added adapter.Hook, created bool) error {
	done := fmt.Sprintf("the existing hook %d was kept", added.ID)
	if created {
		if err := h.delete(ctx, added.ID); err != nil {
			return err
		}
		done = "the new hook was removed"
	}
	return unhealthy(newToken(secretTokensVariable, "lore token generate --secret-token"), "this GitLab ignored the signing token (signing_token_present is false), because it is too old or the feature is disabled; "+
		done+"; set "+secretTokensVariable+", and add it again")
}
