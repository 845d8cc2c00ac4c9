package gateway_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/gateway"
)

func event(body string, isBase64 bool) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: "/v1/x", RawQueryString: "a=1&a=2&b=%20",
		Headers: map[string]string{"host": "api.example.com", "webhook-signature": "v1,abc v1,def", "x-twice": "one,two", "accept": "a/b, c/d"},
		Cookies: []string{"a=1", "b=2"}, Body: body, IsBase64Encoded: isBase64,
	}
	e.RequestContext.RequestID, e.RequestContext.DomainName = "gateway-1", "api.example.com"
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.SourceIP = "POST", "192.0.2.7"
	return e
}

// seen is what a handler sees of an event.
type seen struct {
	Method, URI, Query, Host, From, RequestID string
	Header                                    http.Header
	Length                                    int64
	Body                                      string
}

func serve(t *testing.T, e events.APIGatewayV2HTTPRequest) (s seen, bodyErr error) {
	t.Helper()
	_, err := gateway.Adapt(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		bodyErr = errors.Join(err, r.Body.Close())
		s = seen{r.Method, r.RequestURI, r.URL.RawQuery, r.Host, r.RemoteAddr, gateway.RequestID(r.Context()), r.Header, r.ContentLength, string(raw)}
	}))(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return s, bodyErr
}

func TestAdaptMakesARequestOfAnEvent(t *testing.T) {
	got, err := serve(t, event("body", false))
	want := seen{
		Method: "POST", URI: "/v1/x?a=1&a=2&b=%20", Query: "a=1&a=2&b=%20", Host: "api.example.com", From: "192.0.2.7", RequestID: "gateway-1",
		Header: http.Header{ // commas stay where they are: they may be part of the value
			"Webhook-Signature": {"v1,abc v1,def"}, "X-Twice": {"one,two"}, "Accept": {"a/b, c/d"}, "Cookie": {"a=1; b=2"},
		},
		Length: 4, Body: "body",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestAdapt_KeepsTheValuesOfANameInTwoSpellingsInOneOrder(t *testing.T) {
	for range 20 { // the order of a map changes
		e := event("", false)
		e.Headers["HOST"], e.Headers["x-Twice"], e.Headers["X-TWICE"] = "other.example.com", "three", "zero"
		got, err := serve(t, e)
		want := http.Header{
			"Webhook-Signature": {"v1,abc v1,def"}, "X-Twice": {"zero", "three", "one,two"}, "Accept": {"a/b, c/d"}, "Cookie": {"a=1; b=2"},
		}
		if diff := cmp.Diff(want, got.Header); diff != "" || err != nil {
			t.Fatalf("error %v (-want +got):\n%s", err, diff)
		}
	}
}

// A value that a handler adds must not become the value of another name.
func TestAdapt_SharesNoValuesBetweenHeaders(t *testing.T) {
	_, err := gateway.Adapt(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		before := r.Header.Clone()
		for name := range before {
			r.Header.Add(name, "added")
			before[name] = append(before[name], "added")
		}
		if diff := cmp.Diff(before, r.Header); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}))(t.Context(), event("", false))
	if err != nil {
		t.Fatal(err)
	}
}

func TestAdaptHandsOnEveryByteOfTheBody(t *testing.T) {
	for _, body := range []string{"", "a", "ab", "abc", "abcd", "\x00\xff\r\n é", strings.Repeat("x", 100_000)} {
		for _, e := range []events.APIGatewayV2HTTPRequest{event(body, false), event(base64.StdEncoding.EncodeToString([]byte(body)), true)} {
			got, err := serve(t, e)
			if got.Body != body || got.Length != int64(len(body)) || err != nil {
				t.Errorf("%.20q, base64 %v: length %d, body %.20q, error %v", body, e.IsBase64Encoded, got.Length, got.Body, err)
			}
		}
	}
	for _, text := range []string{"***", "abc", "e30=e30=", "=", "===="} {
		var corrupt base64.CorruptInputError
		if got, err := serve(t, event(text, true)); !errors.As(err, &corrupt) || got.Body != "" || got.Length < 0 {
			t.Errorf("%q: body %q of %d bytes, error %v", text, got.Body, got.Length, err)
		}
	}
}

func TestAdaptHandsOnABodyInWhateverPiecesItIsRead(t *testing.T) {
	body := strings.Repeat("0123456789", 100)
	for _, size := range []int{1, 7, 999, 1000, 1001, 1002, 1003, 5000} {
		var got []byte
		_, err := gateway.Adapt(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for piece := make([]byte, size); ; {
				n, err := r.Body.Read(piece)
				got = append(got, piece[:n]...)
				if err != nil {
					return
				}
			}
		}))(t.Context(), event(base64.StdEncoding.EncodeToString([]byte(body)), true))
		if string(got) != body || err != nil {
			t.Errorf("in pieces of %d bytes: %d bytes, error %v", size, len(got), err)
		}
	}
}

// The length is there without a decoding: what is not base64 is not noticed.
func TestAdaptTellsTheLengthBeforeItDecodes(t *testing.T) {
	var length int64
	resp, err := gateway.Adapt(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		length = r.ContentLength
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))(t.Context(), event(strings.Repeat("*", 4000), true))
	if length != 3000 || resp.StatusCode != http.StatusRequestEntityTooLarge || err != nil {
		t.Errorf("length %d, status %d, error %v", length, resp.StatusCode, err)
	}
}

func TestAdaptTakesAnyPath(t *testing.T) {
	for raw, path := range map[string]string{
		"/a/b": "/a/b", "": "/", "a": "/a", "/a%2Fb": "/a/b", "/a?b": "/a?b", "/a#b": "/a#b", "/100%": "/100%", "/%zz": "/%zz",
		"/a b": "/a b", "/ä": "/ä", "/a\x1fb": "/a\x1fb", "//host/x": "//host/x", "http://host/x": "/http://host/x",
	} {
		e := event("", false)
		e.RawPath, e.RawQueryString = raw, ""
		_, err := gateway.Adapt(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path || r.URL.RawQuery != "" || r.URL.Host != "" {
				t.Errorf("%q is path %q, query %q, host %q", raw, r.URL.Path, r.URL.RawQuery, r.URL.Host)
			}
		}))(t.Context(), e)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestAdaptReturnsWhatTheHandlerWrote(t *testing.T) {
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   events.APIGatewayV2HTTPResponse
	}{
		"nothing": {func(http.ResponseWriter, *http.Request) {}, events.APIGatewayV2HTTPResponse{StatusCode: 200}},
		"text": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "a")
			w.Header().Set("Late", "1")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "b")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/plain"}, Body: "ab"}},
		"headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Allow", "GET")
			w.Header().Add("Allow", "POST")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusMethodNotAllowed)
		}, events.APIGatewayV2HTTPResponse{StatusCode: 405, Headers: map[string]string{"Allow": "GET,POST"}, Cookies: []string{"a=1", "b=2"}}},
		"bytes": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff}) },
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "/w==", IsBase64Encoded: true}},
	} {
		got, err := gateway.Adapt(c.handle)(t.Context(), event("", false))
		if c.want.Headers == nil {
			c.want.Headers = map[string]string{}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestRequestIDIsEmptyElsewhere(t *testing.T) {
	if id := gateway.RequestID(context.Background()); id != "" {
		t.Errorf("id %q", id)
	}
}
