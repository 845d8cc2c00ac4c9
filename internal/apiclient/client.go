package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxAnswer bounds one answer; Lambda's end at 6 MB.
	maxAnswer = 16 << 20
	// timeout bounds one call. The gateway itself gives up after 30 s.
	timeout = 35 * time.Second
)

// Options configure a [Client].
type Options struct {
	// BaseURL is the API's address, up to the slash before v1.
	BaseURL string
	// HTTP is the transport, which signs if signing is needed; nil for the
	// default one.
	HTTP http.RoundTripper
	// UserAgent names the program.
	UserAgent string
}

// Client calls the API. It retries nothing and is safe for concurrent use.
type Client struct {
	base      *url.URL
	http      *http.Client
	userAgent string
}

// Answer is what the API said: decoded, and as it came.
type Answer[T any] struct {
	Value T
	Raw   json.RawMessage
}

// New returns a client. A base URL that is none of [ParseBase] is refused.
func New(o Options) (*Client, error) {
	base, err := ParseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, userAgent: o.UserAgent, http: &http.Client{
		Transport: o.HTTP, Timeout: timeout,
		// The API never redirects; who does is not the API.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ParseBase reads the base URL of an API: https, or plain http to this machine.
// Anything else gives [surgical.CodeInvalidRequest].
func ParseBase(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("the URL must be http or https with a host, and without user, query and fragment, got %q", text))
	case u.Scheme == "https", u.Scheme == "http" && Loopback(u):
		return u, nil
	default:
		return nil, surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("the URL must be https unless it is on this machine, got %q", text))
	}
}

// Loopback reports whether the URL leads to this machine.
func Loopback(u *url.URL) bool {
	host := u.Hostname()
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// call sends one request and decodes its answer. Headers are pairs.
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
		return a, surgical.WrapError(surgical.CodeInternal, err, fmt.Sprintf("%s %s answered with what this version of the program cannot read", method, path))
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

// exchange returns the body of a success; all else is an error.
func (c *Client) exchange(req *http.Request) ([]byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(req, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.unreachable(req, err)
	case len(raw) > maxAnswer:
		return nil, surgical.NewError(surgical.CodeInternal, fmt.Sprintf("the answer is larger than %d bytes", maxAnswer))
	case resp.StatusCode/100 != 2:
		return nil, ReadProblem(resp, raw)
	}
	return raw, nil
}

// unreachable tells people what the network said. A typed error of the
// transport, and the end of the context, stay what they are.
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
		err = of.Err // without the URL and its query
	}
	return &surgical.Error{
		Code: CodeUnavailable, Action: surgical.ActionRetryAfter, Retryable: true,
		Message: fmt.Sprintf("%s does not answer: %v", c.base.Redacted(), err),
	}
}
