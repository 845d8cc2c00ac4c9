package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// anyProjectID is [session.projectID] for a flag that may be empty: 0 stands for every
// project.
func (s *session) anyProjectID(ctx context.Context, project string) (int64, error) {
	if project == "" {
		return 0, nil
	}
	return s.projectID(ctx, project)
}

// projectID returns the numeric id of a project that is named by its id, its path or
// the URL of one of its pages. The API knows the paths of projects that it has seen;
// any other path is looked up in GitLab, if there is a token.
func (s *session) projectID(ctx context.Context, project string) (int64, error) {
	path, id, err := s.project(project)
	if err != nil || id != 0 {
		return id, err
	}
	client, err := s.client(ctx)
	if err != nil {
		return 0, err
	}
	list, err := client.ProjectByPath(ctx, path)
	var failure *surgical.Error
	switch {
	case err == nil && len(list.Value.Projects) == 1:
		return list.Value.Projects[0].ProjectID, nil
	case err == nil:
		return 0, surgical.NewError(surgical.CodeInternal, "GET v1/projects returned a response that this version of the program cannot read")
	case !errors.As(err, &failure) || failure.Code != surgical.CodeProjectUnknown && failure.Code != surgical.CodeInvalidRequest: // of an API without projects
		return 0, err
	case strings.TrimSpace(s.lookup("GITLAB_TOKEN")) == "":
		failure.Message += "; or set GITLAB_TOKEN, to look the path up in GitLab"
		return 0, failure
	}
	return s.projectInGitLab(ctx, project, scopeRead)
}

// projectInGitLab is [session.projectID] for commands that need nothing but GitLab, and
// the scope there.
func (s *session) projectInGitLab(ctx context.Context, project, scope string) (int64, error) {
	path, id, err := s.project(project)
	if err != nil || id != 0 {
		return id, err
	}
	client, err := s.gitlab(scope)
	if err != nil {
		return 0, err
	}
	p, resp, err := client.Projects.GetProject(path, nil, gitlab.WithContext(ctx))
	if err != nil {
		return 0, gitlabFailure(ctx, fmt.Sprintf("project %q", path), scope, resp, err)
	}
	return p.ID, nil
}

// project parses what names a project: either its path or its id is returned.
func (s *session) project(text string) (path string, id int64, err error) {
	r, err := s.reference(text)
	switch {
	case err != nil:
		return "", 0, err
	case r.target != nil && !strings.Contains(text, "://"):
		return "", 0, invalid("expected a project, got the entity %q", text)
	}
	if id, err := strconv.ParseInt(r.project, 10, 64); err == nil {
		return "", id, nil
	}
	return r.project, 0, nil
}
