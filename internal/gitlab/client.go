package gitlab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"
	"golang.org/x/time/rate"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Defaults of [Options].
const (
	DefaultMaxBodyBytes = 64 << 20
	DefaultTimeout      = 30 * time.Second
)

// endpoints is how many requests a fetch begins with; the rate allows a burst
// of as many, so that one page each takes one round trip.
const endpoints = 5

// Options configure a [Client]. BaseURL, Token and Clock are required.
type Options struct {
	// BaseURL is GitLab's address, with a path if it is installed under one.
	// It comes from the configuration, never from a payload.
	BaseURL string
	// Token returns the access token; it is asked before every request.
	Token func(context.Context) (string, error)
	// RefreshToken, if set, is called after a 401. True says that the token was
	// read anew: the fetch then begins again, once.
	RefreshToken func(context.Context) (bool, error)
	// HTTP is the transport; nil for one of its own.
	HTTP http.RoundTripper
	// RequestsPerSecond is the client's own rate; 0 for none.
	RequestsPerSecond float64
	Clock             func() time.Time
	// MaxBodyBytes bounds one response, uncompressed; 0 for 64 MB.
	MaxBodyBytes int64
	// Timeout bounds one request with its response; 0 for 30 s. The wait for
	// the client's own rate does not count.
	Timeout time.Duration
	// Meter, if set, is told of each fetch.
	Meter Meter
}

// Meter is told what a fetch exchanged with GitLab.
type Meter interface {
	// Fetched hears of a fetch that ended, well or not.
	Fetched(metrics.Traffic)
}

// Client fetches entities over GitLab's REST API. It retries nothing: the
// queue does. It is safe for concurrent use.
type Client struct {
	api     *api.Client
	refresh func(context.Context) (bool, error)
	clock   func() time.Time
	meter   Meter
}

// NewClient returns a client, or all that is wrong with the options.
func NewClient(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"):
		return nil, errors.New("gitlab client: the base URL must be an http or https URL")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("gitlab client: the base URL must have no user, query or fragment")
	case o.Token == nil || o.Clock == nil:
		return nil, errors.New("gitlab client: a token and a clock are required")
	}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.HTTP == nil {
		o.HTTP = newTransport()
	}
	client, err := api.NewAuthSourceClient(tokenSource(o.Token),
		api.WithURLWarningLogger(slog.New(slog.DiscardHandler)),
		api.WithBaseURL(strings.TrimSuffix(o.BaseURL, "/")),
		api.WithUserAgent("lorehook"),
		api.WithoutRetries(),
		api.WithCustomLimiter(newLimiter(o.RequestsPerSecond)),
		api.WithHTTPClient(&http.Client{
			Transport:     &boundedTransport{next: o.HTTP, limit: o.MaxBodyBytes},
			CheckRedirect: sameOrigin(base),
			Timeout:       o.Timeout,
		}))
	if err != nil {
		return nil, fmt.Errorf("gitlab client: %w", err)
	}
	return &Client{api: client, refresh: o.RefreshToken, clock: o.Clock, meter: o.Meter}, nil
}

// newTransport keeps as many idle connections as a fetch uses at once; the
// default of two would close and reopen the others each time.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4 * endpoints,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

// limiter says in its error what was waited for: [rate.Limiter] gives up at
// once, with an error of no type, when the deadline comes first.
type limiter struct{ *rate.Limiter }

func newLimiter(perSecond float64) limiter {
	if perSecond <= 0 {
		return limiter{rate.NewLimiter(rate.Inf, 0)}
	}
	return limiter{rate.NewLimiter(rate.Limit(perSecond), max(endpoints, int(perSecond)))}
}

// Wait implements the library's RateLimiter.
func (l limiter) Wait(ctx context.Context) error {
	err := l.Limiter.Wait(ctx)
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return surgical.WrapError(surgical.CodeGitLabTimeout, err, "the worker's own request rate left no time for this fetch")
	}
	return err
}

// tokenSource gives the library a token that may change between requests.
type tokenSource func(context.Context) (string, error)

// Init implements api.AuthSource.
func (tokenSource) Init(context.Context, *api.Client) error { return nil }

// Header implements api.AuthSource.
func (s tokenSource) Header(ctx context.Context) (name, value string, err error) {
	token, err := s(ctx)
	if err != nil {
		return "", "", surgical.WrapError(surgical.CodeGitLabUnauthorized, err, "the GitLab token could not be read")
	}
	return api.AccessTokenHeaderName, strings.TrimSpace(token), nil
}
