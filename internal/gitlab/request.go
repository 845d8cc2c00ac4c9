package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// apiPath is where GitLab's REST API begins, below the base URL.
const apiPath = "/api/v4"

// requester sends GET requests to GitLab's REST API, each once. It is safe for
// concurrent use.
type requester struct {
	// root is the URL of the API, without a slash at its end.
	root    string
	http    *http.Client
	limiter limiter
	token   func(context.Context) (string, error)
}

// newRequester returns a requester for the API below base. A base that names the API
// itself is also accepted.
func newRequester(base *url.URL, client *http.Client, limiter limiter, token func(context.Context) (string, error)) *requester {
	return &requester{root: strings.TrimSuffix(base.String(), apiPath) + apiPath, http: client, limiter: limiter, token: token}
}

// response is a response without its body.
type response struct {
	status int
	header http.Header
	// url is what was requested, the last one after redirects.
	url *url.URL
}

// get requests a path below the API, whose segments are escaped, and writes the body to
// into if its status is a success. With another status, the response is returned without an
// error, and its body is dropped. If the body broke off, or into failed, both the response
// and an error are returned; if there was no response, it is nil.
//
// It waits for the rate limit before it reads the token, so that a token which is
// replaced during the wait is not sent. Waiting ends with the context.
func (r *requester) get(ctx context.Context, path string, query url.Values, into io.Writer) (*response, error) {
	req, err := r.request(ctx, path, query)
	if err != nil {
		return nil, surgical.WrapError(surgical.CodeInternal, err, "a request to GitLab could not be built")
	}
	if err := r.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	token, err := r.token(ctx)
	if err != nil {
		return nil, surgical.WrapError(surgical.CodeGitLabUnauthorized, fmt.Errorf("%w: %w", surgical.ErrTokenUnread, err), "the GitLab token could not be read")
	}
	req.Header.Set("Private-Token", strings.TrimSpace(token))
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	received := &response{resp.StatusCode, resp.Header, resp.Request.URL}
	if !succeeded(resp.StatusCode) {
		// Before HTTP/2, a connection is used again only if the body, which the transport
		// bounds, was read to its end.
		_, _ = io.Copy(io.Discard, resp.Body)
		return received, nil
	}
	_, err = io.Copy(into, resp.Body)
	return received, err
}

// request builds a request without a token.
func (r *requester) request(ctx context.Context, path string, query url.Values) (*http.Request, error) {
	address := r.root + "/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "lorehook")
	return req, nil
}

// succeeded reports whether the body of a response with this status is what was
// requested, or nothing.
func succeeded(status int) bool {
	return slices.Contains([]int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent, http.StatusNotModified}, status)
}

// pathEscape returns an id or path as one segment of a request's path. A dot is escaped
// as well, because GitLab would take what follows for the extension of a format.
func pathEscape(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
}

// limiter turns the untyped error that [rate.Limiter] returns when the deadline
// is too close into one that names the cause.
type limiter struct{ *rate.Limiter }

func newLimiter(perSecond float64) limiter {
	if perSecond <= 0 {
		return limiter{rate.NewLimiter(rate.Inf, 0)}
	}
	return limiter{rate.NewLimiter(rate.Limit(perSecond), max(endpoints, int(perSecond)))}
}

// Wait waits until the next request may be sent, or until the context ends.
func (l limiter) Wait(ctx context.Context) error {
	err := l.Limiter.Wait(ctx)
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return surgical.WrapError(surgical.CodeGitLabTimeout, surgical.ErrNoTime, "the worker's own rate limit left no time for this fetch")
	}
	return err
}
