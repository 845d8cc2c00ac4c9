package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/cabundle"
	guard "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// gitlabTimeout limits one request to GitLab.
const gitlabTimeout = 30 * time.Second

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
	return s.projectInGitLab(ctx, project)
}

// projectInGitLab is [session.projectID] for commands that need nothing but GitLab.
func (s *session) projectInGitLab(ctx context.Context, project string) (int64, error) {
	path, id, err := s.project(project)
	if err != nil || id != 0 {
		return id, err
	}
	client, err := s.gitlab()
	if err != nil {
		return 0, err
	}
	p, resp, err := client.Projects.GetProject(path, nil, gitlab.WithContext(ctx))
	if err != nil {
		return 0, gitlabFailure(ctx, fmt.Sprintf("project %q", path), resp, err)
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

// gitlabBase returns the base URL of the GitLab in use, or "" if it is not known.
func (s *session) gitlabBase() string {
	if base := s.lookup("GITLAB_BASE_URL"); base != "" {
		return base
	}
	if e, err := s.local(); err == nil {
		return e.GitLabBaseURL
	}
	return ""
}

// gitlab returns a GitLab client with the user's token.
func (s *session) gitlab() (*gitlab.Client, error) {
	base := s.gitlabBase()
	if base == "" {
		return nil, invalid("no GitLab URL: set GITLAB_BASE_URL, for example to https://gitlab.com")
	}
	u, err := baseurl.Parse(base)
	if err != nil {
		return nil, invalid("GITLAB_BASE_URL %v, got %q", err, base)
	}
	if !baseurl.Secure(u) {
		return nil, invalid("GITLAB_BASE_URL must be %s, got %q", baseurl.SecureRule, base)
	}
	token := strings.TrimSpace(s.lookup("GITLAB_TOKEN"))
	if token == "" {
		return nil, surgical.NewError(surgical.CodeGitLabUnauthorized, "GITLAB_TOKEN is not set; it is needed for project paths and for hooks")
	}
	transport, err := s.gitlabTransport()
	if err != nil {
		return nil, err
	}
	client, err := gitlab.NewClient(token, gitlab.WithBaseURL(u.String()), gitlab.WithUserAgent("lore/"+s.Version), gitlab.WithoutRetries(),
		gitlab.WithHTTPClient(&http.Client{Transport: guard.Guard(transport, s.Clock), Timeout: gitlabTimeout, CheckRedirect: guard.FollowWithin(u)}))
	if err != nil {
		return nil, invalid("the GitLab client could not be created: %v", err)
	}
	return client, nil
}

// gitlabTransport also trusts the authorities in LOREHOOK_GITLAB_CA_FILE, if that
// is set.
func (s *session) gitlabTransport() (http.RoundTripper, error) {
	file := s.lookup("LOREHOOK_GITLAB_CA_FILE")
	if file == "" {
		return s.HTTP, nil
	}
	roots, err := cabundle.ReadFile(file)
	if err != nil {
		return nil, invalid("LOREHOOK_GITLAB_CA_FILE: %v", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	return transport, nil
}

// gitlabFailure returns the typed error for a failed request to GitLab.
func gitlabFailure(ctx context.Context, what string, resp *gitlab.Response, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var foreign *surgical.Error // of the transport: it was not GitLab that answered
	if errors.As(err, &foreign) {
		named := *foreign
		named.Message = what + ": " + foreign.Message
		return &named
	}
	var refused *gitlab.ErrorResponse
	said := ""
	if errors.As(err, &refused) {
		said = refused.Message
	}
	if resp == nil {
		return surgical.WrapError(surgical.CodeGitLabUnavailable, err, fmt.Sprintf("%s: GitLab is not responding: %v", what, err))
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return surgical.NewError(surgical.CodeGitLabUnauthorized, "GitLab refused GITLAB_TOKEN (401)")
	case http.StatusForbidden:
		return surgical.NewError(surgical.CodeGitLabForbidden, what+": GitLab denied access (403); hooks need the Maintainer role and the api scope")
	case http.StatusNotFound:
		return surgical.NewError(surgical.CodeGitLabNotFound, what+": not found, or not visible to this token (404)")
	case http.StatusTooManyRequests:
		e := surgical.NewError(surgical.CodeGitLabRateLimited, "GitLab rate-limited the request (429)")
		e.RetryAfter = retryafter.Of(resp.Header)
		return e
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict:
		return invalid("%s: GitLab rejected the request (%d): %s", what, resp.StatusCode, cmp.Or(said, "no reason given"))
	default:
		return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s: GitLab returned status %d", what, resp.StatusCode))
	}
}
