package gitlab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const maxRedirects = 5

// FollowWithin returns the CheckRedirect of an [http.Client] for GitLab. It follows
// redirects only to the scheme, host and port of base, so that the token is never sent
// anywhere else. GitLab redirects requests for a renamed project. Any other redirect
// is a [surgical.CodeGitLabUnavailable] error: a transient one to another host, which
// is a maintenance or login page most likely, and a permanent one from http to https.
func FollowWithin(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch {
		case base.Scheme == "http" && req.URL.Scheme == "https" && baseurl.SameHost(req.URL, base):
			return permanent("GitLab redirects from http to https, which is not followed; set GITLAB_BASE_URL to https://" + req.URL.Host)
		case !baseurl.SameOrigin(req.URL, base):
			return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf(
				"a redirect to another address, %s://%s, is not followed: GitLab is under maintenance, asks for a login, or GITLAB_BASE_URL is wrong", req.URL.Scheme, req.URL.Host))
		case len(via) > maxRedirects:
			return surgical.NewError(surgical.CodeGitLabUnavailable, "redirected in a loop; check what GITLAB_BASE_URL leads to")
		default:
			return nil
		}
	}
}

// proxyAnswered fails a connection that the proxy answered with anything but 200.
// The transport's own error is only the status text, which says nothing of a proxy.
func proxyAnswered(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf(
		"the configured HTTP proxy, %s, refused to connect to GitLab (status %d)", proxy.Host, answer.StatusCode))
}

// permanent returns a [surgical.CodeGitLabUnavailable] error that a retry cannot
// fix.
func permanent(message string) *surgical.Error {
	e := surgical.NewError(surgical.CodeGitLabUnavailable, message)
	e.Action, e.Retryable = surgical.ActionContactOperator, false
	return e
}

// traffic counts the requests and responses of one fetch, which run concurrently.
type traffic struct {
	requests, rateLimited atomic.Int64
	// lowest is the rate limit with the lowest Remaining; nil if there was none.
	lowest atomic.Pointer[RateLimit]
}

type trafficKey struct{}

func withTraffic(ctx context.Context) (context.Context, *traffic) {
	t := new(traffic)
	return context.WithValue(ctx, trafficKey{}, t), t
}

// answered counts a response. Not every GitLab sends RateLimit-Remaining.
func (t *traffic) answered(resp *http.Response) {
	if resp.StatusCode == http.StatusTooManyRequests {
		t.rateLimited.Add(1)
	}
	said := rateLimitOf(resp.Header)
	if said.Remaining < 0 {
		return
	}
	for {
		lowest := t.lowest.Load()
		if lowest != nil && lowest.Remaining <= said.Remaining || t.lowest.CompareAndSwap(lowest, &said) {
			return
		}
	}
}

// rateLimit is the lowest that was seen of GitLab's budget.
func (t *traffic) rateLimit() RateLimit {
	if lowest := t.lowest.Load(); lowest != nil {
		return *lowest
	}
	return RateLimit{Limit: -1, Remaining: -1}
}

// total returns the traffic of a fetch that ended with failure, nil for success.
func (t *traffic) total(failure *surgical.Error) metrics.Traffic {
	limit := t.rateLimit()
	return metrics.Traffic{
		Requests: t.requests.Load(), RateLimited: t.rateLimited.Load(), BudgetLeft: limit.Remaining, Budget: limit.Limit,
		Unauthorized: failure != nil && failure.Code == surgical.CodeGitLabUnauthorized,
	}
}

// boundedTransport counts requests, including redirects, and the bytes of their
// responses. It has to be the transport that does so, because [http.Client] sends
// redirected requests by itself, and reads of their responses.
type boundedTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	counted, ok := req.Context().Value(trafficKey{}).(*traffic)
	if ok {
		counted.requests.Add(1)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if ok {
		counted.answered(resp)
	}
	switch b, ok := req.Context().Value(budgetKey{}).(*budget); {
	case !succeeded(resp.StatusCode):
		resp.Body = throughReader{io.LimitReader(resp.Body, maxErrorBody), resp.Body}
	case ok:
		resp.Body = &countedBody{ReadCloser: resp.Body, budget: b}
	}
	return resp, nil
}

// throughReader is a body that is read through another reader.
type throughReader struct {
	io.Reader
	io.Closer
}

// countedBody takes what is read of it from a budget, and fails once that is
// spent.
type countedBody struct {
	io.ReadCloser
	budget *budget
}

// Read implements [io.Reader].
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if spent := b.budget.takeBytes(int64(n)); spent != nil {
		return 0, spent
	}
	return n, err
}
