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
	SecretToken bool `help:"Also set the first of GITLAB_WEBHOOK_SECRET_TOKENS, for a GitLab that does not sign."`
}

// Help implements [kong.HelpProvider].
func (*hooksAddCommand) Help() string {
	return `The hook sends issues, merge requests and comments, confidential ones included, and signs with the first of GITLAB_WEBHOOK_SIGNING_TOKENS. A GitLab that silently does not take the signing token is told from its answer: a new hook is then removed again, unless --secret-token makes it safe.

Needs GITLAB_TOKEN (scope api, role maintainer) and GITLAB_BASE_URL.

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
		return invalid("no token for the hook: set GITLAB_WEBHOOK_SIGNING_TOKENS, or give --secret-token with GITLAB_WEBHOOK_SECRET_TOKENS")
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
			p.line("%s", p.good.Sprint("added"))
		} else {
			p.line("%s", p.good.Sprint("was there; brought up to date"))
		}
	})
	if !added.SigningTokenPresent && hook.signingToken != "" {
		s.err.line("this GitLab does not sign (signing_token_present is false): deliveries carry the secret token alone")
	}
	return nil
}

// put edits the hook that has the address already, else adds one.
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

// unsigned takes back a new hook whose deliveries would all be refused, and in
// the end disabled.
func (c *hooksAddCommand) unsigned(ctx context.Context, h hooks, added *gitlab.ProjectHook, created bool) error {
	done := fmt.Sprintf("hook %d, which was there before, is left as it is", added.ID)
	if created {
		if resp, err := h.client.Projects.DeleteProjectHook(h.project, added.ID, gitlab.WithContext(ctx)); err != nil {
			return gitlabFailure(ctx, fmt.Sprintf("unsigned hook %d", added.ID), resp, err)
		}
		done = "the new hook was removed again"
	}
	return unhealthy("this GitLab did not take the signing token (signing_token_present is false): it is too old, or the feature is off; " +
		done + "; --secret-token uses GITLAB_WEBHOOK_SECRET_TOKENS instead")
}

// hookView is a hook for machines: what matters here of it.
type hookView struct {
	ID     int64    `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	// Signed and Token say which of the two tokens are set.
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
