package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type hooksCommands struct {
	Add    hooksAddCommand    `cmd:"" help:"Add Lorehook's hook to a project, or bring the one that is there up to date."`
	Verify hooksVerifyCommand `cmd:"" help:"Check that a project's hook is there, complete, signed and enabled."`
	List   hooksListCommand   `cmd:"" help:"List a project's hooks."`
}

// hookProject are the flags of all commands on hooks.
type hookProject struct {
	Project string `short:"p" required:"" placeholder:"PROJECT" help:"Number, or path such as group/project."`
}

// hookURL names the webhook.
type hookURL struct {
	URL string `name:"url" placeholder:"URL" help:"The webhook (else that of --api-url, else this machine's)."`
}

// hooks is one project's hooks in GitLab.
type hooks struct {
	client  *gitlab.Client
	project int64
}

func (s *session) hooks(ctx context.Context, project string) (hooks, error) {
	id, err := s.projectID(ctx, project)
	if err != nil {
		return hooks{}, err
	}
	client, err := s.gitlab()
	return hooks{client, id}, err
}

func (h hooks) what() string { return fmt.Sprintf("hooks of project %d", h.project) }

// all reads every page.
func (h hooks) all(ctx context.Context) ([]*gitlab.ProjectHook, error) {
	opts := &gitlab.ListProjectHooksOptions{ListOptions: gitlab.ListOptions{PerPage: 100}}
	var all []*gitlab.ProjectHook
	for {
		page, resp, err := h.client.Projects.ListProjectHooks(h.project, opts, gitlab.WithContext(ctx))
		if err != nil {
			return nil, gitlabFailure(ctx, h.what(), resp, err)
		}
		all = append(all, page...)
		if resp.NextPage == 0 {
			return all, nil
		}
		opts.Page = resp.NextPage
	}
}

// at finds the hooks with the address.
func at(all []*gitlab.ProjectHook, address string) []*gitlab.ProjectHook {
	var found []*gitlab.ProjectHook
	for _, h := range all {
		if sameURL(h.URL, address) {
			found = append(found, h)
		}
	}
	return found
}

func sameURL(a, b string) bool {
	u, err1 := url.Parse(strings.TrimRight(a, "/"))
	v, err2 := url.Parse(strings.TrimRight(b, "/"))
	if err1 != nil || err2 != nil {
		return a == b
	}
	return baseurl.SameOrigin(u, v) && u.EscapedPath() == v.EscapedPath()
}

// findings are what is wrong with a hook, for people.
func findings(h *gitlab.ProjectHook) []string {
	var wrong []string
	for _, event := range []struct {
		name string
		on   bool
	}{
		{"issues_events", h.IssuesEvents},
		{"confidential_issues_events", h.ConfidentialIssuesEvents},
		{"merge_requests_events", h.MergeRequestsEvents},
		{"note_events", h.NoteEvents},
		{"confidential_note_events", h.ConfidentialNoteEvents},
	} {
		if !event.on {
			wrong = append(wrong, event.name+" is off")
		}
	}
	if !h.SigningTokenPresent && !h.TokenPresent {
		wrong = append(wrong, "it has neither a signing token nor a secret token")
	}
	if !h.EnableSSLVerification && strings.HasPrefix(h.URL, "https:") {
		wrong = append(wrong, "it does not verify the TLS certificate")
	}
	if s := h.AlertStatus; s != "" && s != "executable" {
		text := "GitLab has disabled it (" + s + ")"
		if h.DisabledUntil != nil {
			text += " until " + moment(*h.DisabledUntil)
		}
		wrong = append(wrong, text)
	}
	return wrong
}

type hooksListCommand struct{ hookProject }

// Help implements [kong.HelpProvider].
func (*hooksListCommand) Help() string {
	return `Needs GITLAB_TOKEN (scope api, role maintainer) and GITLAB_BASE_URL.

Example:

    lore hooks list -p group/project`
}

// Run implements the command.
func (c *hooksListCommand) Run(ctx context.Context, s *session) error {
	h, err := s.hooks(ctx, c.Project)
	if err != nil {
		return err
	}
	all, err := h.all(ctx)
	if err != nil {
		return err
	}
	views := make([]hookView, len(all))
	for i, hook := range all {
		views[i] = viewHook(hook)
	}
	s.answer(map[string]any{"hooks": views}, func(p *printer) {
		if len(views) == 0 {
			p.line("no hooks")
		}
		p.hooks(views)
	})
	return nil
}

type hooksVerifyCommand struct {
	hookProject
	hookURL
}

// Help implements [kong.HelpProvider].
func (*hooksVerifyCommand) Help() string {
	return `Exits with hook_unhealthy, and says what is wrong, unless all is well. GitLab disables a hook after four failures in a row, and for good after forty.

Example:

    lore hooks verify -p group/project --api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

// Run implements the command.
func (c *hooksVerifyCommand) Run(ctx context.Context, s *session) error {
	hook, err := s.webhook(c.URL)
	if err != nil {
		return err
	}
	h, err := s.hooks(ctx, c.Project)
	if err != nil {
		return err
	}
	all, err := h.all(ctx)
	if err != nil {
		return err
	}
	found := at(all, hook.url)
	views := make([]hookView, len(found))
	var wrong []string
	for i, one := range found {
		views[i] = viewHook(one)
		for _, finding := range views[i].Findings {
			wrong = append(wrong, fmt.Sprintf("hook %d: %s", one.ID, finding))
		}
	}
	switch len(found) {
	case 0:
		wrong = append(wrong, fmt.Sprintf("project %d has no hook for %s (lore hooks add)", h.project, hook.url))
	case 1:
	default:
		wrong = append(wrong, fmt.Sprintf("project %d has %d hooks for %s: every event comes as often", h.project, len(found), hook.url))
	}
	s.answer(map[string]any{"hooks": views}, func(p *printer) {
		p.hooks(views)
		if len(wrong) == 0 {
			p.line("%s", p.good.Sprint("all is well"))
		}
	})
	if len(wrong) > 0 {
		return unhealthy(strings.Join(wrong, "; "))
	}
	return nil
}

func unhealthy(message string) error {
	return &surgical.Error{Code: CodeHookUnhealthy, Message: message, Action: surgical.ActionFixRequest}
}
