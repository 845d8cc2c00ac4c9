package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

type hooksAddCommand struct {
	hookProject
	hookURL
	SecretToken bool `help:"Also set the first of GITLAB_WEBHOOK_SECRET_TOKENS, for a GitLab version that does not sign webhooks."`
}

// Help implements [kong.HelpProvider].
func (*hooksAddCommand) Help() string {
	return `The webhook sends issue, merge request and comment events, including confidential ones, and signs them with the first of GITLAB_WEBHOOK_SIGNING_TOKENS. A GitLab version that does not support signing ignores the token; the new webhook is then removed again, unless --secret-token is given.

` + hooksNeed + `

Example:

    lore hooks add -p group/project --api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

// Run implements the command.
func (c *hooksAddCommand) Run(ctx context.Context, s *session) error {
	hook, err := s.webhook(c.URL)
	if err != nil {
		return err
	}
	switch {
	case c.SecretToken && hook.secretToken == "":
		return invalid("--secret-token needs GITLAB_WEBHOOK_SECRET_TOKENS")
	case !c.SecretToken && hook.signingToken == "":
		return invalid("no token for the hook: set GITLAB_WEBHOOK_SIGNING_TOKENS, or GITLAB_WEBHOOK_SECRET_TOKENS with --secret-token")
	}
	h, err := s.hooks(ctx, c.Project)
	if err != nil {
		return err
	}
	added, created, err := c.put(ctx, h, hook)
	if err != nil {
		return err
	}
	if !added.SigningTokenPresent && !c.SecretToken {
		return c.unsigned(ctx, h, added, created)
	}
	view := viewHook(added)
	s.answer(map[string]any{"hook": view, "created": created}, func(p *printer) {
		p.hooks([]hookView{view})
		if created {
			p.line("%s", paint(p.good, "added"))
		} else {
			p.line("%s", paint(p.good, "updated"))
		}
	})
	if !added.SigningTokenPresent && hook.signingToken != "" {
		s.err.line("this GitLab does not sign webhooks (signing_token_present is false): deliveries have only the secret token")
	}
	return nil
}

// put updates the hook that already has the URL, or else adds one.
func (c *hooksAddCommand) put(ctx context.Context, h hooks, hook webhook) (added *gitlab.ProjectHook, created bool, err error) {
	all, err := h.all(ctx)
	if err != nil {
		return nil, false, err
	}
	yes, no := gitlab.Ptr(true), gitlab.Ptr(false)
	o := gitlab.AddProjectHookOptions{
		URL: &hook.url, EnableSSLVerification: yes, PushEvents: no,
		IssuesEvents: yes, ConfidentialIssuesEvents: yes, MergeRequestsEvents: yes, NoteEvents: yes, ConfidentialNoteEvents: yes,
	}
	if hook.signingToken != "" {
		o.SigningToken = &hook.signingToken
	}
	if c.SecretToken {
		o.Token = &hook.secretToken
	}
	var resp *gitlab.Response
	if found := at(all, hook.url); len(found) > 0 {
		added, resp, err = h.client.Projects.EditProjectHook(h.project, found[0].ID, &gitlab.EditProjectHookOptions{
			URL: o.URL, EnableSSLVerification: yes, PushEvents: no,
			IssuesEvents: yes, ConfidentialIssuesEvents: yes, MergeRequestsEvents: yes, NoteEvents: yes, ConfidentialNoteEvents: yes,
			SigningToken: o.SigningToken, Token: o.Token,
		}, gitlab.WithContext(ctx))
	} else {
		created = true
		added, resp, err = h.client.Projects.AddProjectHook(h.project, &o, gitlab.WithContext(ctx))
	}
	if err != nil {
		return nil, false, gitlabFailure(ctx, h.what(), resp, err)
	}
	return added, created, nil
}

// unsigned removes a new hook that GitLab did not sign: Lorehook would refuse all
// its deliveries, and GitLab would eventually disable it.
func (c *hooksAddCommand) unsigned(ctx context.Context, h hooks, added *gitlab.ProjectHook, created bool) error {
	done := fmt.Sprintf("the existing hook %d was kept", added.ID)
	if created {
		if resp, err := h.client.Projects.DeleteProjectHook(h.project, added.ID, gitlab.WithContext(ctx)); err != nil {
			return gitlabFailure(ctx, fmt.Sprintf("unsigned hook %d", added.ID), resp, err)
		}
		done = "the new hook was removed"
	}
	return unhealthy("this GitLab ignored the signing token (signing_token_present is false), because it is too old or the feature is disabled; " +
		done + "; to use GITLAB_WEBHOOK_SECRET_TOKENS instead, pass --secret-token")
}

// hookView is the JSON of a hook: the part that matters to Lorehook.
type hookView struct {
	ID     int64    `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	// Signed and Token report which of the two tokens are set.
	Signed        bool       `json:"signing_token_present"`
	Token         bool       `json:"token_present"`
	AlertStatus   string     `json:"alert_status,omitempty"`
	DisabledUntil *time.Time `json:"disabled_until,omitempty"`
	Findings      []string   `json:"findings"`
}

func viewHook(h *gitlab.ProjectHook) hookView {
	v := hookView{
		ID: h.ID, URL: h.URL, Events: []string{}, Signed: h.SigningTokenPresent, Token: h.TokenPresent,
		AlertStatus: h.AlertStatus, DisabledUntil: h.DisabledUntil, Findings: append([]string{}, findings(h)...),
	}
	for _, event := range []struct {
		name string
		on   bool
	}{
		{"issues", h.IssuesEvents},
		{"confidential_issues", h.ConfidentialIssuesEvents},
		{"merge_requests", h.MergeRequestsEvents},
		{"notes", h.NoteEvents},
		{"confidential_notes", h.ConfidentialNoteEvents},
		{"push", h.PushEvents},
	} {
		if event.on {
			v.Events = append(v.Events, event.name)
		}
	}
	return v
}

// hooks prints hooks and what is wrong with them.
func (p *printer) hooks(views []hookView) {
	var rows [][]cell
	for _, v := range views {
		token := "none"
		switch {
		case v.Signed && v.Token:
			token = "signing, secret"
		case v.Signed:
			token = "signing"
		case v.Token:
			token = "secret"
		}
		state := cell{"ok", p.good}
		if len(v.Findings) > 0 {
			state = cell{strings.Join(v.Findings, "; "), p.bad}
		}
		rows = append(rows, []cell{plain("%d", v.ID), plain("%s", v.URL), plain("%s", strings.Join(v.Events, " ")), plain("%s", token), state})
	}
	p.table([]string{"HOOK", "URL", "EVENTS", "TOKEN", "STATE"}, rows)
}
