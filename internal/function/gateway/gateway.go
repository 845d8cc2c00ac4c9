// Package gateway serves the events of an API Gateway HTTP API (payload format
// 2.0) with an [http.Handler].
//
// The body of an event is decoded when the handler first reads it, and
// [http.Request.ContentLength] is known before: a handler that refuses by length
// never pays for the decoding. Every header is one value, as the gateway sends
// it: it joins repeated headers with commas, and a signature may hold one. Only a
// name that an event holds in two spellings has two values.
package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

type requestIDKey struct{}

// RequestID returns the gateway's id of the request whose context this is, the
// one that the access log names; empty outside of [Adapt].
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Adapt returns a Lambda handler that serves events with the HTTP handler. Its
// error is always nil: every event becomes a request.
func Adapt(handler http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		ctx = context.WithValue(ctx, requestIDKey{}, event.RequestContext.RequestID)
		w := &response{header: http.Header{}}
		handler.ServeHTTP(w, request(ctx, event))
		return w.event(), nil
	}
}

func request(ctx context.Context, event events.APIGatewayV2HTTPRequest) *http.Request {
	u := address(event.RawPath)
	u.RawQuery = event.RawQueryString
	r := &http.Request{
		Method: event.RequestContext.HTTP.Method, URL: u, RequestURI: u.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header(event.Headers), Host: event.RequestContext.DomainName, RemoteAddr: event.RequestContext.HTTP.SourceIP,
	}
	if len(event.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(event.Cookies, "; "))
	}
	r.Body, r.ContentLength = body(event)
	return r.WithContext(ctx)
}

// header returns the headers by their canonical names, without Host, which is in
// [http.Request.Host] as on a server.
func header(sent map[string]string) http.Header {
	h, values := make(http.Header, len(sent)), make([]string, 0, len(sent)) // one list, of which each name has a part
	for name, value := range sent {
		if name = http.CanonicalHeaderKey(name); name == "Host" {
			continue
		}
		if h[name] != nil {
			return sortedHeader(sent)
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return h
}

// sortedHeader is [header] for events that have a name in two spellings: the two values are
// in the order of the spellings, so that an event always yields the same list.
func sortedHeader(sent map[string]string) http.Header {
	h := make(http.Header, len(sent))
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if !strings.EqualFold(name, "Host") {
			h.Add(name, sent[name])
		}
	}
	return h
}

// address reads a path. The gateway has decoded it: it may hold anything by
// now, also what looks like a query, and is all path.
func address(raw string) *url.URL {
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	if u, err := url.ParseRequestURI(raw); err == nil && !strings.ContainsAny(raw, "?#") {
		return u
	}
	return &url.URL{Path: raw}
}

// body returns the event's body and its length once decoded, which for base64
// follows from the text's length and padding.
func body(event events.APIGatewayV2HTTPRequest) (io.ReadCloser, int64) {
	text := event.Body
	if !event.IsBase64Encoded {
		return io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	padding := len(text) - len(strings.TrimRight(text, "="))
	return &encoded{text: text}, int64(max(0, base64.StdEncoding.DecodedLen(len(text))-padding))
}

// encoded decodes its text at the first Read.
type encoded struct {
	text    string
	decoded *bytes.Reader
	err     error
}

// Read implements [io.Reader]. Text that is not base64 yields no byte, only
// the [base64.CorruptInputError].
func (e *encoded) Read(p []byte) (int, error) {
	if e.decoded == nil {
		if n := e.decode(p); n > 0 {
			return n, nil
		}
	}
	if e.err != nil {
		return 0, e.err
	}
	return e.decoded.Read(p)
}

// decode decodes the text, into p if it fits. It returns how much of p it filled.
func (e *encoded) decode(p []byte) int {
	raw, length := p, base64.StdEncoding.DecodedLen(len(e.text))
	if len(p) < length {
		raw = make([]byte, length)
	}
	n, err := base64.StdEncoding.Decode(raw, []byte(e.text))
	if err != nil {
		n = 0
	}
	e.err, e.text = err, ""
	if len(p) < length {
		e.decoded = bytes.NewReader(raw[:n])
		return 0
	}
	e.decoded = bytes.NewReader(nil)
	return n
}

// Close implements [io.Closer].
func (e *encoded) Close() error { return nil }

// response collects what a handler writes.
type response struct {
	header http.Header
	status int
	// sent and cookies are the header at the time of the first write, as on a server.
	sent    map[string]string
	cookies []string
	body    bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]; only the first call counts.
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.sent = status, make(map[string]string, len(w.header))
	for name, values := range w.header {
		if name == "Set-Cookie" {
			w.cookies = slices.Clone(values)
		} else {
			w.sent[name] = strings.Join(values, ",")
		}
	}
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *response) event() events.APIGatewayV2HTTPResponse {
	w.WriteHeader(http.StatusOK) // unless the handler did
	out := events.APIGatewayV2HTTPResponse{
		StatusCode: w.status, Headers: w.sent, Body: w.body.String(), Cookies: w.cookies,
	}
	if !utf8.ValidString(out.Body) {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	return out
}
