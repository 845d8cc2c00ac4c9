package gitlab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

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
	requests *requester
	refresh  func(context.Context) (bool, error)
	clock    func() time.Time
	meter    Meter
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
	client := &http.Client{
		Transport:     &boundedTransport{next: authentic{o.HTTP, o.Clock}},
		CheckRedirect: FollowWithin(base),
		Timeout:       o.Timeout,
	}
	return &Client{
		requests: newRequester(base, client, newLimiter(o.RequestsPerSecond), o.Token),
		refresh:  o.RefreshToken, clock: o.Clock, meter: o.Meter, rereads: semaphore.NewWeighted(surgical.MaxEntityBytes),
	}, nil
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
