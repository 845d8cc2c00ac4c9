package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/cabundle"
	answers "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
)

// gitlabTimeout limits one request to GitLab.
const gitlabTimeout = 30 * time.Second

// The scopes that the user's token needs: for hooks, and to look a path up.
const (
	scopeHooks = "api"
	scopeRead  = "read_api"
)

// ownToken says how to give this program a token with the scope. It is another one than
// the stack's.
func ownToken(scope string) advice.Step {
	return advice.Step{Text: "Set GITLAB_TOKEN to a token of yours with the " + scope + " scope.", Command: "read -rs GITLAB_TOKEN && export GITLAB_TOKEN"}
}

// alsoNeeded is what the user needs besides the scope, for a message.
func alsoNeeded(scope string) string {
	if scope == scopeHooks {
		return "; hooks need the api scope, and the Maintainer role in the project or the Owner role in the group"
	}
	return ""
}

// gitlab returns a GitLab client with the user's token, which needs the scope.
func (s *session) gitlab(scope string) (*gitlab.Client, error) {
	base, err := s.setting(keyGitLabBaseURL)
	if err != nil {
		return nil, err
	}
	if base.value == "" {
		return nil, remedy(surgical.CodeInvalidRequest, advice.Step{Text: "Store the URL in the profile, for example https://gitlab.com.", Command: "lore config set gitlab-base-url URL"},
			"no GitLab URL: set GITLAB_BASE_URL, or gitlab-base-url of a profile")
	}
	u, err := baseurl.Parse(base.value)
	if err != nil {
		return nil, remedy(surgical.CodeInvalidRequest, settingsStep(), "%s %v, got %q", base.from, err, base.value)
	}
	if !baseurl.Secure(u) {
		return nil, remedy(surgical.CodeInvalidRequest, settingsStep(), "%s must be %s, got %q", base.from, baseurl.SecureRule, base.value)
	}
	access, err := s.gitlabToken(scope)
	if err != nil {
		return nil, err
	}
	transport, err := s.gitlabTransport()
	if err != nil {
		return nil, err
	}
	client, err := gitlab.NewClient(access, gitlab.WithBaseURL(u.String()), gitlab.WithUserAgent("lore/"+s.Version), gitlab.WithoutRetries(),
		gitlab.WithHTTPClient(&http.Client{Transport: answers.Authentic(transport, s.Clock), Timeout: gitlabTimeout, CheckRedirect: answers.FollowWithin(u)}))
	if err != nil {
		return nil, invalid("the GitLab client could not be created: %v", err)
	}
	return client, nil
}

// gitlabToken returns the user's token for GitLab.
func (s *session) gitlabToken(scope string) (string, error) {
	text := s.lookup("GITLAB_TOKEN")
	if strings.TrimSpace(text) == "" {
		return "", remedy(surgical.CodeGitLabUnauthorized, ownToken(scope), "GITLAB_TOKEN is not set; it is needed for project paths and for hooks")
	}
	access, err := token.Access(text)
	if err != nil {
		return "", remedy(surgical.CodeGitLabUnauthorized, ownToken(scope), "GITLAB_TOKEN cannot be an access token: %v", err)
	}
	return access, nil
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

// gitlabFailure returns the typed error for a failed request to GitLab, for which the
// user's token needs the scope.
func gitlabFailure(ctx context.Context, what, scope string, resp *gitlab.Response, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var foreign *surgical.Error // of the transport: it was not GitLab that answered
	if errors.As(err, &foreign) {
		named := surgical.WrapError(foreign.Code, &remedied{foreign, settingsStep()}, what+": "+foreign.Message)
		named.Action, named.Retryable, named.RetryAfter = foreign.Action, foreign.Retryable, foreign.RetryAfter
		return named
	}
	var refused *gitlab.ErrorResponse
	said, tokenReason := "", ""
	if errors.As(err, &refused) {
		said, tokenReason = refused.Message, answers.TokenReason(refused.StatusCode, refused.Body)
	}
	if resp == nil {
		return answers.Unanswered(what, err)
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return remedy(surgical.CodeGitLabUnauthorized, ownToken(scope), "GitLab refused GITLAB_TOKEN (401)")
	case http.StatusForbidden:
		if tokenReason != "" {
			return remedy(surgical.CodeGitLabUnauthorized, ownToken(scope), "GitLab refuses every request of GITLAB_TOKEN (403): %s", tokenReason)
		}
		return remedy(surgical.CodeGitLabForbidden, ownToken(scope), "%s: GitLab denied access (403)%s", what, alsoNeeded(scope))
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
