package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	adapter "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// otherHook is a hook that may use a token that a rotation replaces.
type otherHook struct {
	Project int64  `json:"project_id,omitempty"`
	Group   string `json:"group,omitempty"`
	HookID  int64  `json:"hook_id"`
	URL     string `json:"url"`
}

func (o otherHook) owner() adapter.Owner { return adapter.Owner{Project: o.Project, Group: o.Group} }

// others are the hooks of the stack's projects that a rotation does not switch.
type others struct {
	// Hooks may use the old tokens: GitLab does not show a hook's token.
	Hooks []otherHook `json:"other_hooks"`
	// Unchecked says what could not be read.
	Unchecked []string `json:"unchecked"`
}

func (o others) none() bool { return len(o.Hooks) == 0 && len(o.Unchecked) == 0 }

// hookSearch looks for the hooks of all projects that the stack knows.
type hookSearch struct {
	s        *session
	rotation rotation
	seen     map[string]bool // owners
	others
}

// others looks for hooks with the same kind of token in every project that the stack
// knows, and in the groups above it. What cannot be read does not end the search.
func (s *session) others(ctx context.Context, r rotation) (others, error) {
	find := hookSearch{s: s, rotation: r, seen: map[string]bool{}, others: others{Hooks: []otherHook{}, Unchecked: []string{}}}
	projects, err := s.knownProjects(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return find.others, err
		}
		find.Unchecked = append(find.Unchecked, "the stack's projects: "+surgical.AsError(err).Message)
	}
	for _, project := range projects {
		if err := find.owner(ctx, hookOwner{Project: strconv.FormatInt(project.ProjectID, 10)}); err != nil {
			return find.others, err
		}
		for group := project.Path; strings.Contains(group, "/"); {
			group = group[:strings.LastIndexByte(group, '/')]
			if err := find.owner(ctx, hookOwner{Group: group}); err != nil {
				return find.others, err
			}
		}
	}
	return find.others, nil
}

// knownProjects are the projects of the allow list, or those of which anything is known.
func (s *session) knownProjects(ctx context.Context) ([]apiclient.Project, error) {
	client, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	return client.AllProjects(ctx)
}

// owner looks for the hooks of one project or group, once. A group that does not exist
// to GitLab, such as a user's namespace, has none.
func (f *hookSearch) owner(ctx context.Context, o hookOwner) error {
	key := o.Group + "#" + o.Project
	if f.seen[key] {
		return nil
	}
	f.seen[key] = true
	h, err := f.s.hooks(ctx, o)
	if err != nil {
		return err
	}
	all, err := h.all(ctx)
	switch {
	case ctx.Err() != nil:
		return err
	case o.Group != "" && surgical.CodeOf(err) == surgical.CodeGitLabNotFound:
		return nil
	case err != nil:
		f.Unchecked = append(f.Unchecked, surgical.AsError(err).Message)
		return nil
	}
	for _, hook := range all {
		if hook.Reaches(delivery.Path) && hook.SigningToken == f.rotation.signing && !slices.Contains(f.rotation.ids(), hook.ID) {
			f.Hooks = append(f.Hooks, otherHook{h.owner.Project, h.owner.Group, hook.ID, hook.URL})
		}
	}
	return nil
}

// others prints which hooks may use the old tokens, and how to switch them.
func (p *printer) others(o others, c *hooksRotateCommand) {
	for _, hook := range o.Hooks {
		p.wrapped(p.warn, "may use an old token: hook %d of %s, which sends to %s", hook.HookID, hook.owner(), hook.URL)
	}
	for _, what := range o.Unchecked {
		p.wrapped(p.warn, "not checked: %s", what)
	}
	if len(o.Hooks) == 0 {
		return
	}
	var flags []string
	for _, project := range c.Project {
		flags = append(flags, "-p "+project)
	}
	for _, group := range c.Group {
		flags = append(flags, "-g "+group)
	}
	for _, hook := range o.Hooks {
		if flag := ownerFlag(hook.owner()); !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	p.hint("to switch all of them together", "lore hooks rotate "+strings.Join(flags, " "))
}
