package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/advice"
	adapter "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type hooksCommands struct {
	Add    hooksAddCommand    `cmd:"" help:"Add Lorehook's webhook to a project or group, or update the existing one."`
	Verify hooksVerifyCommand `cmd:"" help:"Check the webhook of a project or group, and follow GitLab's test event into the store."`
	Rotate hooksRotateCommand `cmd:"" help:"Replace the token of webhooks without refusing a delivery."`
	List   hooksListCommand   `cmd:"" help:"List the webhooks of a project or group."`
	Remove hooksRemoveCommand `cmd:"" help:"Remove Lorehook's webhook from a project or group."`
}

// hooksNeed is what the commands for hooks need, for their help.
const hooksNeed = `Needs GITLAB_TOKEN (api scope; Maintainer role in the project, or Owner role in the
group) and GITLAB_BASE_URL. For a GitLab with a private certificate authority,
LOREHOOK_GITLAB_CA_FILE names its PEM file.`

// hookOwner are the flags of commands for one project or group.
type hookOwner struct {
	Project string `short:"p" xor:"owner" required:"" placeholder:"PROJECT" completion-predictor:"project" help:"Project ID, path such as group/project, or URL in GitLab."`
	Group   string `short:"g" xor:"owner" required:"" placeholder:"GROUP" help:"Group ID or full path; its webhook delivers the events of all projects in it and its subgroups."`
}

// hookURL is the flag of commands that need Lorehook's webhook.
type hookURL struct {
	URL string `name:"url" placeholder:"URL" help:"URL of Lorehook's webhook (default: derived from --api-url, else the local stack)."`
}

// hooks accesses the hooks of one project or group in GitLab.
type hooks struct {
	client *gitlab.Client
	owner  adapter.Owner
	path   string
}

func (s *session) hooks(ctx context.Context, o hookOwner) (hooks, error) {
	owner := adapter.Owner{Group: o.Group}
	if o.Group == "" {
		id, err := s.projectInGitLab(ctx, o.Project, scopeHooks)
		if err != nil {
			return hooks{}, err
		}
		owner.Project = id
	}
	path, err := owner.HooksPath()
	if err != nil {
		return hooks{}, err
	}
	client, err := s.gitlab(scopeHooks)
	return hooks{client, owner, path}, err
}

// hooksAt returns the owner's hooks, the URL of Lorehook's webhook, and those of the
// hooks that have it, the oldest first.
func (s *session) hooksAt(ctx context.Context, o hookOwner, u hookURL) (h hooks, address string, found []adapter.Hook, err error) {
	hook, err := s.webhook(u.URL)
	if err != nil {
		return h, "", nil, err
	}
	if h, err = s.hooks(ctx, o); err != nil {
		return h, "", nil, err
	}
	found, err = h.at(ctx, hook.url)
	return h, hook.url, found, err
}

func (h hooks) what() string { return "hooks of " + h.owner.String() }

// call sends a request for what is below the owner's hooks, and returns the body of
// the response.
func (h hooks) call(ctx context.Context, method, below string, body any) (json.RawMessage, *gitlab.Response, error) {
	return h.send(ctx, method, h.path+below, body)
}

func (h hooks) send(ctx context.Context, method, path string, body any, options ...gitlab.RequestOptionFunc) (json.RawMessage, *gitlab.Response, error) {
	req, err := h.client.NewRequest(method, path, body, append(options, gitlab.WithContext(ctx)))
	if err != nil {
		return nil, nil, fmt.Errorf("build a request to GitLab: %w", err)
	}
	var raw bytes.Buffer
	resp, err := h.client.Do(req, &raw)
	if err != nil {
		return nil, resp, gitlabFailure(ctx, h.what(), scopeHooks, resp, err)
	}
	return raw.Bytes(), resp, nil
}

// write adds or changes a hook and returns it as GitLab stored it.
func (h hooks) write(ctx context.Context, method, below string, settings hookSettings) (adapter.Hook, error) {
	raw, _, err := h.call(ctx, method, below, settings)
	if err != nil {
		return adapter.Hook{}, err
	}
	hook, ok := adapter.ReadHook(raw)
	if !ok {
		return adapter.Hook{}, surgical.NewError(surgical.CodeGitLabUnavailable, h.what()+": GitLab's answer is not a hook; check for a proxy in between")
	}
	return hook, nil
}

// delete removes a hook. One that is gone already is not an error.
func (h hooks) delete(ctx context.Context, id int64) error {
	_, _, err := h.call(ctx, http.MethodDelete, below(id), nil)
	if surgical.CodeOf(err) == surgical.CodeGitLabNotFound {
		return nil
	}
	return err
}

func below(id int64) string { return "/" + strconv.FormatInt(id, 10) }

// maxHookPages bounds how many pages of hooks are read. GitLab allows 100 hooks
// per project.
const maxHookPages = 100

// all returns all hooks, from every page. The list is complete if it has as many
// hooks as GitLab counts, or if the page after the last is empty: a proxy may
// remove the headers that name the next page.
func (h hooks) all(ctx context.Context) ([]adapter.Hook, error) {
	var all []adapter.Hook
	seen := map[int64]bool{}
	for page := int64(1); page <= maxHookPages; page++ {
		raw, resp, err := h.send(ctx, http.MethodGet, h.path, &gitlab.ListOptions{PerPage: 100, Page: page})
		if err != nil {
			return nil, err
		}
		var records []json.RawMessage
		if json.Unmarshal(raw, &records) != nil {
			break
		}
		known := len(all)
		for _, record := range records {
			if hook, ok := adapter.ReadHook(record); ok && !seen[hook.ID] {
				seen[hook.ID] = true
				all = append(all, hook)
			}
		}
		counted, err := strconv.Atoi(resp.Header.Get("X-Total"))
		if len(records) == 0 || err == nil && counted == len(all) && resp.NextPage == 0 {
			slices.SortFunc(all, func(a, b adapter.Hook) int { return int(a.ID - b.ID) })
			return all, nil
		}
		if len(all) == known {
			break // it answers every page with the first
		}
	}
	return nil, surgical.NewError(surgical.CodeGitLabUnavailable, h.what()+": GitLab's answers do not show whether the list is complete; check for a proxy that removes headers")
}

// at returns the owner's hooks with the URL, the oldest first.
func (h hooks) at(ctx context.Context, address string) ([]adapter.Hook, error) {
	all, err := h.all(ctx)
	return slices.DeleteFunc(all, func(hook adapter.Hook) bool { return !hook.Sends(address) }), err
}

type hooksListCommand struct{ hookOwner }

// Help implements [kong.HelpProvider].
func (*hooksListCommand) Help() string {
	return hooksNeed + `

Example:

    lore hooks list -p group/project`
}

// Run implements the command.
func (c *hooksListCommand) Run(ctx context.Context, s *session) error {
	h, err := s.hooks(ctx, c.hookOwner)
	if err != nil {
		return err
	}
	all, err := h.all(ctx)
	if err != nil {
		return err
	}
	views := viewHooks(all)
	s.answer(map[string]any{"hooks": views}, func(p *printer) {
		if len(views) == 0 {
			p.line("no hooks")
		}
		p.hooks(views)
	})
	return nil
}

// unhealthy is the error for hooks that do not work.
func (h hooks) unhealthy(message string) error {
	return unhealthy(advice.Step{Text: "Add or repair the hook.", Command: "lore hooks add " + ownerFlag(h.owner)}, message)
}

func unhealthy(step advice.Step, message string) error {
	e := remedy(CodeHookUnhealthy, step, "%s", message)
	e.Action, e.Retryable = surgical.ActionFixRequest, false
	return e
}

// ownerFlag names the owner as the command line does.
func ownerFlag(o adapter.Owner) string {
	if o.Group != "" {
		return "-g " + o.Group
	}
	return "-p " + strconv.FormatInt(o.Project, 10)
}

// hookView is the JSON of a hook: the part that matters to Lorehook.
type hookView struct {
	ID     int64    `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	// Signed and Token report which of the two tokens are set.
	Signed        bool     `json:"signing_token_present"`
	Token         bool     `json:"token_present"`
	AlertStatus   string   `json:"alert_status,omitempty"`
	DisabledUntil string   `json:"disabled_until,omitempty"`
	Findings      []string `json:"findings"`
}

func viewHook(h adapter.Hook) hookView {
	v := hookView{
		ID: h.ID, URL: h.URL, Events: h.Events(), Signed: h.SigningToken, Token: h.Token,
		AlertStatus: h.AlertStatus, Findings: append([]string{}, h.Findings()...),
	}
	if !h.DisabledUntil.IsZero() {
		v.DisabledUntil = moment(h.DisabledUntil)
	}
	return v
}

func viewHooks(all []adapter.Hook) []hookView {
	views := make([]hookView, len(all))
	for i, hook := range all {
		views[i] = viewHook(hook)
	}
	return views
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
