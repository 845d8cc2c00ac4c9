package gitlab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// DefaultTimeout is the default of [Options].
const DefaultTimeout = 30 * time.Second

// oldestGitLab is the first version that has every list in [listings]: resource
// milestone events came with 13.1, resource state events with 13.2.
const oldestGitLab = "13.2"

// endpoints is how many requests a fetch starts with. The rate limit allows a
// burst of that size, so that an entity with one page per list takes one round
// trip.
const endpoints = 5

// Options configure a [Client]. BaseURL, Token and Clock are required.
type Options struct {
	// BaseURL is GitLab's URL, including the path if GitLab is installed under a
	// relative URL. It comes from the configuration, never from a payload.
	BaseURL string
	// Token returns the access token. It is called before every request.
	Token func(context.Context) (string, error)
	// RefreshToken, if set, is called after a 401. If it returns true, the token
	// was read again and the fetch is repeated once.
	RefreshToken func(context.Context) (bool, error)
	// HTTP is the transport; nil means one made for this client.
	HTTP http.RoundTripper
	// RootCAs are the authorities that the client's own transport trusts; nil
	// means those of this machine.
	RootCAs *x509.CertPool
	// RequestsPerSecond is the client-side rate limit; 0 means none.
	RequestsPerSecond float64
	Clock             func() time.Time
	// Timeout limits one request and its response; 0 means [DefaultTimeout]. Time
	// spent waiting for the client-side rate limit does not count.
	Timeout time.Duration
	// Meter, if set, receives the traffic of each fetch and each page of a list.
	Meter Meter
}

// Meter records the traffic with GitLab.
type Meter interface {
	// Fetched is called once per fetch or page of a list, successful or not.
	Fetched(metrics.Traffic)
}

// Client reads entities and lists over GitLab's REST API. It never retries, because the
// queue does. It is safe for concurrent use.
type Client struct {
	api     *api.Client
	refresh func(context.Context) (bool, error)
	clock   func() time.Time
	meter   Meter
	// rereads bounds the bytes of pages that are read once more, for all fetches.
	rereads *semaphore.Weighted
}

// NewClient returns a client, or an error if a required option is missing or the
// base URL is invalid. It sends nothing.
func NewClient(o Options) (*Client, error) {
	base, err := baseurl.Parse(o.BaseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("gitlab client: the base URL %w", err)
	case o.Token == nil || o.Clock == nil:
		return nil, errors.New("gitlab client: a token and a clock are required")
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.HTTP == nil {
		o.HTTP = newTransport(o.RootCAs)
	}
	client, err := api.NewAuthSourceClient(tokenSource(o.Token),
		api.WithURLWarningLogger(slog.New(slog.DiscardHandler)),
		api.WithBaseURL(base.String()),
		api.WithUserAgent("lorehook"),
		api.WithoutRetries(),
		api.WithCustomLimiter(newLimiter(o.RequestsPerSecond)),
		api.WithHTTPClient(&http.Client{
			Transport:     &boundedTransport{next: Authentic(o.HTTP, o.Clock)},
			CheckRedirect: FollowWithin(base),
			Timeout:       o.Timeout,
		}))
	if err != nil {
		return nil, fmt.Errorf("gitlab client: %w", err)
	}
	return &Client{api: client, refresh: o.RefreshToken, clock: o.Clock, meter: o.Meter, rereads: semaphore.NewWeighted(surgical.MaxEntityBytes)}, nil
}

// newTransport keeps enough idle connections for concurrent fetches. Go's default
// of two per host would close and reopen the others every time.
func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4 * endpoints,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     &tls.Config{RootCAs: roots},

		OnProxyConnectResponse: proxyAnswered,
	}
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

// Wait implements api.RateLimiter.
func (l limiter) Wait(ctx context.Context) error {
	err := l.Limiter.Wait(ctx)
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return surgical.WrapError(surgical.CodeGitLabTimeout, surgical.ErrNoTime, "the worker's own rate limit left no time for this fetch")
	}
	return err
}

// tokenSource is an api.AuthSource for a token that may change between requests.
type tokenSource func(context.Context) (string, error)

// Init implements api.AuthSource.
func (tokenSource) Init(context.Context, *api.Client) error { return nil }

// Header implements api.AuthSource.
func (s tokenSource) Header(ctx context.Context) (name, value string, err error) {
	token, err := s(ctx)
	if err != nil {
		return "", "", surgical.WrapError(surgical.CodeGitLabUnauthorized, fmt.Errorf("%w: %w", surgical.ErrTokenUnread, err), "the GitLab token could not be read")
	}
	return api.AccessTokenHeaderName, strings.TrimSpace(token), nil
}
