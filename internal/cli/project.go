package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// gitlabTimeout bounds one request to GitLab.
const gitlabTimeout = 30 * time.Second

// projectID turns a project's number or path into its number. A path costs one
// request to GitLab.
func (s *session) projectID(ctx context.Context, project string) (int64, error) {
	if id, err := strconv.ParseInt(project, 10, 64); err == nil {
		if id <= 0 {
			return 0, invalid("project_id must be positive, got %d", id)
		}
		return id, nil
	}
	if project == "" || strings.HasPrefix(project, "/") || strings.HasSuffix(project, "/") || !strings.Contains(project, "/") {
		return 0, invalid("a project is a number or a path such as group/project, got %q", project)
	}
	client, err := s.gitlab()
	if err != nil {
		return 0, err
	}
	p, resp, err := client.Projects.GetProject(project, nil, gitlab.WithContext(ctx))
	if err != nil {
		return 0, gitlabFailure(ctx, fmt.Sprintf("project %q", project), resp, err)
	}
	return p.ID, nil
}

// gitlab is the official client with the user's token.
func (s *session) gitlab() (*gitlab.Client, error) {
	base := s.lookup("GITLAB_BASE_URL")
	if base == "" {
		e, err := s.local()
		if err != nil {
			return nil, err
		}
		base = e.GitLabBaseURL
	}
	if base == "" {
		return nil, invalid("which GitLab? Set GITLAB_BASE_URL, for instance https://gitlab.com")
	}
	u, err := baseurl.Parse(base)
	if err != nil {
		return nil, invalid("GITLAB_BASE_URL %v, got %q", err, base)
	}
	token := strings.TrimSpace(s.lookup("GITLAB_TOKEN"))
	if token == "" {
		return nil, surgical.NewError(surgical.CodeGitLabUnauthorized, "GITLAB_TOKEN is not set; GitLab is asked for a project's number and for hooks")
	}
	client, err := gitlab.NewClient(token, gitlab.WithBaseURL(u.String()), gitlab.WithUserAgent("lore/"+s.Version), gitlab.WithoutRetries(),
		gitlab.WithHTTPClient(&http.Client{Transport: s.HTTP, Timeout: gitlabTimeout, CheckRedirect: sameOrigin}))
	if err != nil {
		return nil, invalid("GitLab's client: %v", err)
	}
	return client, nil
}

// sameOrigin follows the redirects of a renamed project, but never sends the
// token to another origin.
func sameOrigin(next *http.Request, before []*http.Request) error {
	if !baseurl.SameOrigin(next.URL, before[0].URL) {
		return fmt.Errorf("redirected to another host, %s", next.URL.Host)
	}
	if len(before) >= 5 {
		return errors.New("redirected five times")
	}
	return nil
}

// gitlabFailure types what a request to GitLab ended with.
func gitlabFailure(ctx context.Context, what string, resp *gitlab.Response, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *gitlab.ErrorResponse
	said := ""
	if errors.As(err, &refused) {
		said = refused.Message
	}
	if resp == nil {
		return surgical.WrapError(surgical.CodeGitLabUnavailable, err, fmt.Sprintf("GitLab does not answer about %s: %v", what, err))
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return surgical.NewError(surgical.CodeGitLabUnauthorized, "GitLab refused GITLAB_TOKEN (401)")
	case http.StatusForbidden:
		return surgical.NewError(surgical.CodeGitLabForbidden, what+": GitLab forbids it to this token (403); hooks need the role of a maintainer and the scope api")
	case http.StatusNotFound:
		return surgical.NewError(surgical.CodeGitLabNotFound, what+": GitLab does not have it, or not for this token (404)")
	case http.StatusTooManyRequests:
		e := surgical.NewError(surgical.CodeGitLabRateLimited, "GitLab asks for fewer requests (429)")
		e.RetryAfter = retryafter.Of(resp.Header)
		return e
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict:
		return invalid("%s: GitLab refused it (%d): %s", what, resp.StatusCode, cmp.Or(said, "without a reason"))
	default:
		return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s: GitLab answered %d", what, resp.StatusCode))
	}
}
