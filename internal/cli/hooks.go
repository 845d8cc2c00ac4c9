package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type hooksCommands struct {
	Add    hooksAddCommand    `cmd:"" help:"Add Lorehook's webhook to a project, or update the existing one."`
	Verify hooksVerifyCommand `cmd:"" help:"Check that a project's webhook exists, is complete, signed and enabled."`
	List   hooksListCommand   `cmd:"" help:"List a project's webhooks."`
}

// hookProject is the flag that all hooks commands share.
type hookProject struct {
	Project string `short:"p" required:"" placeholder:"PROJECT" help:"Project ID, path such as group/project, or URL in GitLab."`
}

// hookURL is the flag of commands that need Lorehook's webhook.
type hookURL struct {
	URL string `name:"url" placeholder:"URL" help:"URL of Lorehook's webhook (default: derived from --api-url, else the local stack)."`
}

// hooks accesses one project's hooks in GitLab.
type hooks struct {
	client  *gitlab.Client
	project int64
}

func (s *session) hooks(ctx context.Context, project string) (hooks, error) {
	id, err := s.projectInGitLab(ctx, project)
	if err != nil {
		return hooks{}, err
	}
	client, err := s.gitlab()
	return hooks{client, id}, err
}

func (h hooks) what() string { return fmt.Sprintf("hooks of project %d", h.project) }

// maxHookPages bounds how many pages of hooks are read. GitLab allows 100 hooks
// per project.
const maxHookPages = 100

// all returns all hooks, from every page. The list is complete if it has as many
// hooks as GitLab counts, or if the page after the last is empty: a proxy may
// remove the headers that name the next page.
func (h hooks) all(ctx context.Context) ([]*gitlab.ProjectHook, error) {
	opts := &gitlab.ListProjectHooksOptions{ListOptions: gitlab.ListOptions{PerPage: 100}}
	var all []*gitlab.ProjectHook
	seen := map[int64]bool{}
	for opts.Page = 1; opts.Page <= maxHookPages; opts.Page++ {
		page, resp, err := h.client.Projects.ListProjectHooks(h.project, opts, gitlab.WithContext(ctx))
		if err != nil {
			return nil, gitlabFailure(ctx, h.what(), resp, err)
		}
		known := len(all)
		for _, hook := range page {
			if !seen[hook.ID] {
				seen[hook.ID] = true
				all = append(all, hook)
			}
		}
		counted, err := strconv.Atoi(resp.Header.Get("X-Total"))
		if len(page) == 0 || err == nil && counted == len(all) && resp.NextPage == 0 {
			return all, nil
		}
		if len(all) == known {
			break // it answers every page with the first
		}
	}
	return nil, surgical.NewError(surgical.CodeGitLabUnavailable, h.what()+": GitLab's answers do not show whether the list is complete; check for a proxy that removes headers")
}

// at returns the hooks with the URL.
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

// findings describes what is wrong with a hook.
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
		wrong = append(wrong, "no signing token and no secret token is set")
	}
	if !h.EnableSSLVerification && strings.HasPrefix(h.URL, "https:") {
		wrong = append(wrong, "SSL verification is off")
	}
	if s := h.AlertStatus; s != "" && s != "executable" {
		text := "disabled by GitLab (" + s + ")"
		if h.DisabledUntil != nil {
			text += " until " + moment(*h.DisabledUntil)
		}
		wrong = append(wrong, text)
	}
	return wrong
}

// hooksNeed is what the commands for hooks need, for their help.
const hooksNeed = `Needs GITLAB_TOKEN (api scope, Maintainer role) and GITLAB_BASE_URL. For a GitLab
with a private certificate authority, LOREHOOK_GITLAB_CA_FILE names its PEM file.`

type hooksListCommand struct{ hookProject }

// Help implements [kong.HelpProvider].
func (*hooksListCommand) Help() string {
	return hooksNeed + `

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
	return `Reports what is wrong and exits with hook_unhealthy, unless the webhook is healthy. GitLab disables a webhook temporarily after four consecutive failures, and permanently after forty.

` + hooksNeed + `

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
		wrong = append(wrong, fmt.Sprintf("project %d has no hook for %s; add it with: lore hooks add", h.project, hook.url))
	case 1:
	default:
		wrong = append(wrong, fmt.Sprintf("project %d has %d hooks for %s: every event is delivered that many times", h.project, len(found), hook.url))
	}
	s.answer(map[string]any{"hooks": views}, func(p *printer) {
		p.hooks(views)
		if len(wrong) == 0 {
			p.line("%s", paint(p.good, "healthy"))
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
