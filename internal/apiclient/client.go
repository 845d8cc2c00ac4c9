package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxAnswer limits one response body. Lambda's own limit is 6 MB.
	maxAnswer = 16 << 20
	// timeout limits one call. API Gateway itself times out after 30 s.
	timeout = 35 * time.Second
)

// Options configure a [Client].
type Options struct {
	// BaseURL is the API's URL without the /v1 path; see [ParseBase].
	BaseURL string
	// HTTP is the transport; nil means [http.DefaultTransport]. For an API that
	// requires signed requests, use [Signing].
	HTTP http.RoundTripper
	// UserAgent is the User-Agent header; empty means Go's default.
	UserAgent string
}

// Client calls the API. It never retries and is safe for concurrent use.
type Client struct {
	base      *url.URL
	http      *http.Client
	userAgent string
}

// Answer is a successful response: decoded, and verbatim.
type Answer[T any] struct {
	Value T
	Raw   json.RawMessage
}

// New returns a client, or the error of [ParseBase] if the base URL is invalid.
func New(o Options) (*Client, error) {
	base, err := ParseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, userAgent: o.UserAgent, http: &http.Client{
		Transport: o.HTTP, Timeout: timeout,
		// The API never redirects, so a redirect came from something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ParseBase parses the base URL of an API. It accepts https, and plain http
// only to a loopback host; anything else is a [surgical.CodeInvalidRequest]
// error.
func ParseBase(text string) (*url.URL, error) {
	u, err := baseurl.Parse(text)
	switch {
	case err != nil:
		return nil, surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("the URL %v, got %q", err, text))
	case u.Scheme == "https", baseurl.Loopback(u):
		return u, nil
	default:
		return nil, surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("the URL must be https unless it points to this machine, got %q", text))
	}
}

// call sends one request and decodes the response. headers are name-value pairs.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, body any, headers ...string) (Answer[T], error) {
	req, err := c.request(ctx, method, path, query, body, headers)
	if err != nil {
		return Answer[T]{}, err
	}
	raw, err := c.exchange(req)
	if err != nil {
		return Answer[T]{}, err
	}
	a := Answer[T]{Raw: raw}
	if err := json.Unmarshal(raw, &a.Value); err != nil {
		return a, surgical.WrapError(surgical.CodeInternal, err, fmt.Sprintf("%s %s returned a response that this version of the program cannot read", method, path))
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any, headers []string) (*http.Request, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req, nil
}

// exchange returns the body of a 2xx response; everything else is an error.
func (c *Client) exchange(req *http.Request) ([]byte, error) {
	var seen connections
	resp, err := c.http.Do(seen.of(req))
	if err != nil {
		err = c.unreachable(req, err)
		if seen.none() {
			err = notSent{err}
		}
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.unreachable(req, err)
	case len(raw) > maxAnswer:
		return nil, surgical.NewError(surgical.CodeInternal, fmt.Sprintf("the response is larger than %d bytes", maxAnswer))
	case resp.StatusCode/100 != 2:
		return nil, ReadProblem(resp, raw)
	}
	return raw, nil
}

// unreachable turns a network error into [CodeUnavailable] with its cause in
// the message. A typed error from the transport and the context's own error are
// returned unchanged.
func (c *Client) unreachable(req *http.Request, err error) error {
	var typed *surgical.Error
	if errors.As(err, &typed) {
		return typed
	}
	if cause := req.Context().Err(); cause != nil {
		return cause
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // drops the URL and its query from the message
	}
	e := surgical.WrapError(CodeUnavailable, err, fmt.Sprintf("%s is not responding: %v", c.base.Redacted(), err))
	e.Action, e.Retryable = surgical.ActionRetryAfter, true
	return e
}

// connections remembers whether a request got a connection. Its last error does not tell:
// if a reused connection breaks before the response, net/http repeats a request that has an
// idempotency key, and may then fail to connect.
type connections struct{ wanted, got atomic.Bool }

// of returns the request with a trace that notes its connections.
func (c *connections) of(req *http.Request) *http.Request {
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { c.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
	}))
}

// none reports whether the request wanted a connection and got none. A transport that does
// not trace wants none, so nothing is known of its requests.
func (c *connections) none() bool { return c.wanted.Load() && !c.got.Load() }

// notSent is the error of a request that never got a connection.
type notSent struct{ error }

func (e notSent) Unwrap() error { return e.error }

// NotSent reports whether the error shows that the request cannot have reached the API:
// there was no connection.
func NotSent(err error) bool { return errors.As(err, new(notSent)) }
