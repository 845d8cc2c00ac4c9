package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// failure returns the typed error for a failed request; said is what GitLab's
// refusal said. It never includes err's text or the response's, because they may
// quote a URL or a body.
func failure(what string, said refusal, resp *response, err error, now time.Time) *surgical.Error {
	var typed *surgical.Error
	if errors.As(err, &typed) {
		if typed.Code == surgical.CodeGitLabUnavailable { // the transport does not know what was requested
			named := *typed
			named.Message = what + ": " + typed.Message
			return &named
		}
		return typed
	}
	if resp != nil && !succeeded(resp.status) {
		e := statusFailure(what, said, resp)
		if e.Retryable {
			e.RetryAfter = retryAfter(resp.header, now)
		}
		return e
	}
	if resp != nil && !errors.Is(err, context.Canceled) && !isTimeout(err) {
		return surgical.NewError(surgical.CodeGitLabUnavailable, what+": the connection broke during the response")
	}
	return Unanswered(what, err)
}

// Unanswered returns the typed error for a request to which no response came. It names
// the cause without quoting the error, which has the URL.
func Unanswered(what string, err error) *surgical.Error {
	switch {
	case errors.Is(err, context.Canceled):
		return surgical.WrapError(surgical.CodeGitLabTimeout, context.Canceled, what+" was cancelled")
	case isTimeout(err):
		return surgical.WrapError(surgical.CodeGitLabTimeout, context.DeadlineExceeded, what+": "+timeoutCause(err))
	default:
		text, cause := transportCause(err)
		return surgical.WrapError(surgical.CodeGitLabUnavailable, cause, what+" could not be reached: "+text)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func statusFailure(what string, said refusal, resp *response) *surgical.Error {
	status := resp.status
	switch {
	case status == http.StatusUnauthorized:
		return surgical.NewError(surgical.CodeGitLabUnauthorized, "GitLab refused the token (401); it may have expired")
	case status == http.StatusForbidden && said.tokenReason != "":
		return surgical.NewError(surgical.CodeGitLabUnauthorized, "GitLab refuses every request of this token (403): "+said.tokenReason)
	case status == http.StatusForbidden:
		return surgical.NewError(surgical.CodeGitLabForbidden, what+": GitLab denied access (403)")
	case status == http.StatusNotFound:
		e := surgical.NewError(surgical.CodeGitLabNotFound, what+" was not found (404): deleted, or not visible to this token")
		if said.noRoute {
			e = surgical.WrapError(e.Code, errNoRoute, e.Message)
		}
		return e
	case status == http.StatusTooManyRequests:
		return surgical.NewError(surgical.CodeGitLabRateLimited, "GitLab rate-limited the request (429)")
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return surgical.NewError(surgical.CodeGitLabTimeout, fmt.Sprintf("%s timed out (%d)", what, status))
	case status == http.StatusBadRequest && resp.url.Scheme == "http" && !isJSON(resp.header):
		// What a web server says to plain HTTP on the port of https.
		return surgical.NewError(surgical.CodeGitLabUnavailable, what+": status 400 came with "+contentType(resp.header)+"; if the port expects TLS, GITLAB_BASE_URL has to start with https://")
	case !isJSON(resp.header):
		return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s: GitLab, or a proxy in front of it, returned status %d with %s", what, status, contentType(resp.header)))
	default:
		return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s: GitLab returned status %d", what, status))
	}
}

// errNoRoute is the cause of a 404 for an endpoint that this GitLab does not have.
var errNoRoute = errors.New("GitLab has no such endpoint")

// notGitLab is the failure of a request for an endpoint that every GitLab has, if it was
// answered as one that does not exist: it says nothing about an entity or a project.
func notGitLab(what string) *surgical.Error {
	return surgical.NewError(surgical.CodeGitLabUnavailable, what+": there is no such endpoint (404), which every GitLab has; check what GITLAB_BASE_URL leads to")
}

// listNotFound judges the 404 of a list whose entity answered: GitLab is too old
// for that list, or a replica does not have the entity yet.
func listNotFound(e *surgical.Error, what string) *surgical.Error {
	if errors.Is(e, errNoRoute) {
		return permanent(what + ": this GitLab does not have the list (404), although the entity exists; Lorehook needs GitLab " + oldestGitLab + " or later: upgrade GitLab")
	}
	return surgical.NewError(surgical.CodeGitLabUnavailable, what+" was not found (404), although the entity exists: a replica lags, or GitLab is older than version "+oldestGitLab)
}

// retryAfter returns the wait in Retry-After (seconds or a date), or else until
// RateLimit-Reset (a Unix time), or 0 without either.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if wait, ok := retryafter.Parse(h.Get("Retry-After"), now); ok {
		return wait
	}
	reset, err := strconv.ParseInt(h.Get("RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return min(max(time.Unix(reset, 0).Sub(now), 0), retryafter.Max)
}

// mostTelling returns the error of a fetch whose requests ended with errs: an
// error that affects every fetch ranks above one that affects only this entity,
// and that above requests that were only cancelled. It returns nil if none failed.
func mostTelling(errs []error) *surgical.Error {
	var failed []*surgical.Error
	for _, err := range errs {
		if err != nil {
			failed = append(failed, surgical.AsError(err))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return slices.MinFunc(failed, func(a, b *surgical.Error) int { return cmp.Compare(rank(a), rank(b)) })
}

func rank(e *surgical.Error) int {
	switch {
	case errors.Is(e, context.Canceled):
		return 9
	case e.Code == surgical.CodeGitLabUnauthorized:
		return 0
	case e.Code == surgical.CodeGitLabRateLimited:
		return 1
	case e.Code == surgical.CodeGitLabForbidden:
		return 2
	case e.Code == surgical.CodeGitLabNotFound:
		return 3
	case !e.Retryable:
		return 4
	case e.Code == surgical.CodeGitLabUnavailable:
		return 5
	default:
		return 6
	}
}
