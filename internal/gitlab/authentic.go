package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxErrorBody is how much of an error's body is read: GitLab's own errors are
// short.
const maxErrorBody = 64 << 10

// Authentic returns a transport for the official GitLab client that lets through only
// what that client understands and what GitLab itself answered:
//
//   - Link headers are reduced to the link to the next page. The client panics on
//     some that are legal.
//   - A 401, 403 or 404 whose body is not one of GitLab's own errors comes from a
//     CDN, a firewall, a login page, an API gateway or an ingress. It fails with a
//     transient [surgical.CodeGitLabUnavailable] that names the content type.
//
// A nil next is [http.DefaultTransport].
func Authentic(next http.RoundTripper, clock func() time.Time) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return readableLinks{authentic{next, clock}}
}

// authentic lets through only what GitLab itself answered.
type authentic struct {
	next  http.RoundTripper
	clock func() time.Time
}

// RoundTrip implements [http.RoundTripper].
func (g authentic) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return g.refused(req, resp)
	}
	return resp, nil
}

// refused lets a refusal through if it is GitLab's own, and notes what it says
// for the request's [refusalOf].
func (g authentic) refused(req *http.Request, resp *http.Response) (*http.Response, error) {
	start, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		_ = resp.Body.Close() // the read error says more
		return nil, err
	}
	said, ok := parseRefusal(resp.StatusCode, start)
	if !ok {
		_ = resp.Body.Close() // nothing was written to it
		e := surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf(
			"status %d came with %s, so it was not GitLab that answered but a proxy, gateway, firewall or login page in front of it; check what GITLAB_BASE_URL leads to",
			resp.StatusCode, contentType(resp.Header)))
		e.RetryAfter = retryAfter(resp.Header, g.clock())
		return nil, e
	}
	if note, ok := req.Context().Value(refusalKey{}).(*refusal); ok {
		*note = said
	}
	resp.Body = throughReader{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	return resp, nil
}

// refusal is what GitLab said when it refused a request.
type refusal struct {
	// tokenReason is set if the refusal concerns every request of this token.
	tokenReason string
	// noRoute means that this GitLab does not have such an endpoint at all.
	noRoute bool
}

type refusalKey struct{}

// withRefusal returns a context for one request, and where [Authentic] notes why
// GitLab refused it.
func withRefusal(ctx context.Context) (context.Context, *refusal) {
	said := new(refusal)
	return context.WithValue(ctx, refusalKey{}, said), said
}

// parseRefusal reads the body of a 401, 403 or 404. It reports false if GitLab did not
// write it: API gateways and firewalls answer in JSON too, and what they refuse says
// nothing about a token, a project or an entity. The content type does not count,
// because proxies change it.
func parseRefusal(status int, body []byte) (refusal, bool) {
	var answer struct {
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
		Scope   json.RawMessage `json:"scope"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return refusal{}, false
	}
	message, code, scope := textOf(answer.Message), textOf(answer.Error), textOf(answer.Scope)
	return refusal{
		tokenReason: tokenReason(code, scope, message),
		// What GitLab's router says; a missing record is a message.
		noRoute: answer.Message == nil && code == routerNotFound,
	}, fromGitLab(status, code, message)
}

// textOf returns a JSON text, "" for anything else.
func textOf(raw json.RawMessage) (text string) {
	_ = json.Unmarshal(raw, &text) // stays empty if it is not a text
	return text
}

// routerNotFound is the error of GitLab's router for a path that it does not have.
const routerNotFound = "404 Not Found"

// fromGitLab reports whether a refusal has the form of GitLab's own. Its API begins
// each message with the status (lib/api/helpers.rb): "403 Forbidden - reason" or
// "404 Project Not Found". Refused tokens have an error code instead, as OAuth names it
// (lib/api/api_guard.rb).
func fromGitLab(status int, code, message string) bool {
	switch status {
	case http.StatusUnauthorized:
		return strings.HasPrefix(message, "401 Unauthorized") ||
			slices.Contains([]string{"invalid_token", "unauthorized", "dpop_error", "restricted_language_server_client_error"}, code)
	case http.StatusForbidden:
		return strings.HasPrefix(message, "403 Forbidden") || strings.HasPrefix(code, "insufficient_")
	default:
		return strings.HasPrefix(message, "404 ") && (strings.Contains(message, "Not Found") || strings.Contains(message, "Not found")) ||
			code == routerNotFound
	}
}

// TokenReason says why GitLab refused every request of a token with this response, or
// "" if it did not.
func TokenReason(status int, body []byte) string {
	if said, ok := parseRefusal(status, body); ok && status == http.StatusForbidden {
		return said.tokenReason
	}
	return ""
}

// tokenReason says why GitLab refuses every request of a token, or "" if the
// refusal concerns only what was asked for. The phrases are those of GitLab's
// lib/gitlab/auth/user_access_denied_reason.rb; the reason never quotes the
// answer.
func tokenReason(code, scope, message string) string {
	switch {
	case code == "insufficient_scope" && scope == "api":
		return "it lacks the api scope"
	case code == "insufficient_scope":
		return "it lacks the read_api scope"
	}
	for _, known := range []struct{ phrase, reason string }{
		{"must accept the Terms of Service", "its user has to accept the Terms of Service in GitLab"},
		{"Your account has been blocked", "its user is blocked"},
		{"Your account is pending approval", "its user has to be approved by an administrator"},
		{"Your account has been deactivated", "its user is deactivated and has to sign in to GitLab"},
		{"Your primary email address is not confirmed", "its user has to confirm the email address"},
		{"Your password expired", "its user's password has expired"},
		{"cannot be performed by internal users", "it belongs to one of GitLab's internal users"},
	} {
		if strings.Contains(message, known.phrase) {
			return known.reason
		}
	}
	return ""
}

func isJSON(header http.Header) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// contentType names the media type of a response in a message. It never quotes a
// header that is not a plain media type.
func contentType(header http.Header) string {
	const longest = 60
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case header.Get("Content-Type") == "":
		return "no content type"
	case err != nil || len(media) > longest:
		return "an invalid content type"
	case media == "application/json":
		return "JSON that is not GitLab's"
	default:
		return "content type " + media
	}
}
