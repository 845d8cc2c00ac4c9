package cli

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// reference is a project, or one of its entities, as people write it: 1,
// group/project, 1#7, group/project!3, or the URL of a page in GitLab.
type reference struct {
	// project is an id or a path.
	project string
	// target is nil if the reference names only the project.
	target *surgical.Target
}

// pages are the parts of GitLab's URLs that begin an entity's number.
func pages() map[string]surgical.EntityType {
	return map[string]surgical.EntityType{"issues": surgical.Issue, "work_items": surgical.Issue, "merge_requests": surgical.MergeRequest}
}

// reference parses text. A URL must be one of the GitLab in use, if that is known.
func (s *session) reference(text string) (reference, error) {
	if strings.Contains(text, "://") {
		return s.page(text)
	}
	project, target := text, (*surgical.Target)(nil)
	if at := strings.LastIndexAny(text, "#!"); at >= 0 {
		iid, err := strconv.ParseInt(text[at+1:], 10, 64)
		if err != nil || iid <= 0 {
			return reference{}, invalid("an entity is written like 1#7, group/project#7 or group/project!3, got %q", text)
		}
		project, target = text[:at], &surgical.Target{Type: surgical.Issue, IID: iid}
		if text[at] == '!' {
			target.Type = surgical.MergeRequest
		}
	}
	return reference{project, target}, checkProject(project)
}

// checkProject rejects what can be neither an id nor a path.
func checkProject(project string) error {
	if id, err := strconv.ParseInt(project, 10, 64); err == nil {
		if id <= 0 {
			return invalid("project_id must be positive, got %d", id)
		}
		return nil
	}
	if _, err := surgical.ParseProjectPath(project); err != nil {
		return invalid("the project must be a number, or a path such as group/project, got %q", project)
	}
	return nil
}

// page parses the URL of a page of a project: what follows the project's path begins
// with /-/, or on old versions of GitLab with the kind of page.
func (s *session) page(text string) (reference, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return reference{}, invalid("the URL of a project, issue or merge request in GitLab begins with https://, got %q", text)
	}
	path := u.Path
	gitlab, err := s.setting(keyGitLabBaseURL)
	if err != nil {
		return reference{}, err
	}
	if base := gitlab.value; base != "" {
		known, err := baseurl.Parse(base)
		rest, within := "", false
		if err == nil {
			rest, within = strings.CutPrefix(u.Path, strings.TrimSuffix(known.Path, "/")+"/")
		}
		if err != nil || !baseurl.SameOrigin(u, known) || !within {
			return reference{}, invalid("%q is not a page of the GitLab in use, %s", text, base)
		}
		path = rest
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	end, after := slices.Index(segments, "-"), []string(nil)
	if end >= 0 {
		after = segments[end+1:]
	} else if end = len(segments) - 2; end >= 2 && pages()[segments[end]] != "" {
		after = segments[end:]
	} else {
		end = len(segments)
	}
	r := reference{project: strings.Join(segments[:end], "/")}
	if len(after) >= 2 && pages()[after[0]] != "" {
		if iid, err := strconv.ParseInt(after[1], 10, 64); err == nil && iid > 0 {
			r.target = &surgical.Target{Type: pages()[after[0]], IID: iid}
		}
	}
	if _, err := surgical.ParseProjectPath(r.project); err != nil {
		return reference{}, invalid("%q is not the URL of a project, issue or merge request in GitLab", text)
	}
	return r, nil
}

// selection is the entities that a command is about, all of one project.
type selection struct {
	project string
	targets []surgical.Target
}

// selected combines the flags -p, --issue and --mr with references to entities.
func (s *session) selected(project string, issues, mrs []int64, refs []string) (selection, error) {
	var sel selection
	if project != "" {
		r, err := s.reference(project)
		if err != nil {
			return sel, err
		}
		if r.target != nil {
			return sel, invalid("-p takes a project; pass the entity %q without -p", project)
		}
		sel.project = r.project
	}
	for _, iid := range issues {
		sel.targets = append(sel.targets, surgical.Target{Type: surgical.Issue, IID: iid})
	}
	for _, iid := range mrs {
		sel.targets = append(sel.targets, surgical.Target{Type: surgical.MergeRequest, IID: iid})
	}
	for _, ref := range refs {
		r, err := s.reference(ref)
		switch {
		case err != nil:
			return sel, err
		case r.target == nil:
			return sel, invalid("%q names a project; an entity is written like 1#7, group/project#7 or group/project!3", ref)
		case sel.project != "" && surgical.ProjectPathKey(r.project) != surgical.ProjectPathKey(sel.project):
			return sel, invalid("all entities must be of one project, and be written with the same one, got %q and %q", sel.project, r.project)
		}
		sel.project, sel.targets = r.project, append(sel.targets, *r.target)
	}
	if sel.project == "" {
		return sel, invalid("missing project: specify --project (-p), or an entity such as group/project#7")
	}
	return sel, nil
}

// one returns the selection's only entity.
func (sel selection) one() (surgical.Target, error) {
	if len(sel.targets) != 1 {
		return surgical.Target{}, invalid("specify exactly one entity, with either --issue or --mr, or like group/project#7")
	}
	if t := sel.targets[0]; t.IID <= 0 {
		return t, invalid("iid must be positive, got %d", t.IID)
	}
	return sel.targets[0], nil
}

// entity finds the only entity that the flags -p, --issue and --mr, or a reference,
// name; absent ones are nil and "".
func (s *session) entity(ctx context.Context, project string, issue, mr *int64, ref string) (surgical.EntityRef, error) {
	selected, err := s.selected(project, given(issue), given(mr), given(nonEmpty(ref)))
	if err != nil {
		return surgical.EntityRef{}, err
	}
	target, err := selected.one()
	if err != nil {
		return surgical.EntityRef{}, err
	}
	id, err := s.projectID(ctx, selected.project)
	s.about = surgical.EntityRef{ProjectID: id, Target: target}
	return s.about, err
}
