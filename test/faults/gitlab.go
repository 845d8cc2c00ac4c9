package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

type fault func(ctx context.Context, call cloud.Call, send func() error) error

// gitlabFault returns what the kind does to a request to GitLab, or nil if it
// is not one of GitLab's.
func (k Kind) gitlabFault() fault {
	const unavailable = "<html><head><title>GitLab is not responding</title></head></html>"
	switch k {
	case Unauthorized:
		return answer(http.StatusUnauthorized, jsonType, `{"message":"401 Unauthorized"}`, 0)
	case Forbidden:
		return answer(http.StatusForbidden, jsonType, `{"message":"403 Forbidden"}`, 0)
	case NotFound:
		return answer(http.StatusNotFound, jsonType, `{"message":"404 Not found"}`, 0)
	case TokenForbidden:
		return answer(http.StatusForbidden, jsonType, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}`, 0)
	case ForeignForbidden:
		return answer(http.StatusForbidden, "text/html", "<html><body>Checking your browser</body></html>", 0)
	case ForeignNotFound:
		return answer(http.StatusNotFound, "text/html", "<html><body>default backend - 404</body></html>", 0)
	case GatewayForbidden:
		return answer(http.StatusForbidden, jsonType, `{"message":"Forbidden"}`, 0)
	case GatewayNotFound:
		return answer(http.StatusNotFound, jsonType, `{"message":"no Route matched with those values"}`, 0)
	case Redirected:
		return redirected
	case StrippedHeaders:
		return headers(func(h http.Header) {
			for _, name := range []string{"X-Total", "X-Total-Pages", "X-Page", "X-Per-Page", "X-Prev-Page", "X-Next-Page", "Link"} {
				h.Del(name)
			}
		})
	case ForeignLinks:
		return headers(func(h http.Header) {
			h["Link"] = append([]string{`<https://assets.example.com/a,b>; crossorigin; rel="preconnect", </style.css>; rel=preload; nopush`}, h["Link"]...)
		})
	case EmptiedList:
		return emptied
	case RateLimited:
		return answer(http.StatusTooManyRequests, "text/plain", retryLater, time.Minute)
	case RateLimitedSilent:
		return answer(http.StatusTooManyRequests, "text/plain", retryLater, 0)
	case RateLimitedLong:
		return answer(http.StatusTooManyRequests, "text/plain", retryLater, 1200*time.Second)
	case InternalError:
		return answer(http.StatusInternalServerError, jsonType, `{"message":"500 Internal Server Error"}`, 0)
	case BadGateway:
		return answer(http.StatusBadGateway, "text/html", unavailable, 0)
	case Unavailable:
		return answer(http.StatusServiceUnavailable, "text/html", unavailable, 0)
	case GatewayTimeout:
		return answer(http.StatusGatewayTimeout, "text/html", unavailable, 0)
	case TruncatedBody:
		return truncated
	case SlowBody:
		return slow
	case Refused:
		return notTaken
	case Changed:
		return changed
	case OldReplica:
		return oldReplica
	}
	return nil
}

const (
	jsonType   = "application/json"
	retryLater = "Retry later\n"
)

func notTaken(context.Context, cloud.Call, func() error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

func changed(ctx context.Context, _ cloud.Call, send func() error) error {
	if change := settingOf(ctx).Change; change != nil {
		change()
	}
	return send()
}

func oldReplica(ctx context.Context, call cloud.Call, send func() error) error {
	replica := settingOf(ctx).Replica
	if replica == nil {
		return send()
	}
	resp, err := replica.RoundTrip(call.Input.(*http.Request))
	call.Answer(resp)
	return err
}

// answer returns GitLab's own response with the status; retryAfter 0 omits the
// header.
func answer(status int, contentType, body string, retryAfter time.Duration) fault {
	return func(_ context.Context, call cloud.Call, _ func() error) error {
		header := http.Header{"Content-Type": {contentType}}
		if retryAfter > 0 {
			header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		call.Answer(&http.Response{
			StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
			ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: call.Input.(*http.Request),
		})
		return nil
	}
}

// redirected sends the client to another host.
func redirected(ctx context.Context, call cloud.Call, send func() error) error {
	if err := answer(http.StatusFound, "text/html", "", 0)(ctx, call, send); err != nil {
		return err
	}
	call.Output().(*http.Response).Header.Set("Location", "https://maintenance.invalid/")
	return nil
}

// headers changes the headers of GitLab's own answer.
func headers(change func(http.Header)) fault {
	return func(_ context.Context, call cloud.Call, send func() error) error {
		if err := send(); err != nil {
			return err
		}
		changed := *call.Output().(*http.Response)
		changed.Header = changed.Header.Clone()
		change(changed.Header)
		call.Answer(&changed)
		return nil
	}
}

// emptied returns a list without its records, as if GitLab had none.
func emptied(ctx context.Context, call cloud.Call, send func() error) error {
	if !lists(call.Input.(*http.Request)) {
		return send()
	}
	if err := answer(http.StatusOK, jsonType, "[]", 0)(ctx, call, send); err != nil {
		return err
	}
	call.Output().(*http.Response).Header.Set("X-Total", "0")
	return nil
}

// lists reports whether the request is for one of an entity's lists.
func lists(req *http.Request) bool {
	last := path.Base(req.URL.Path)
	return last == "discussions" || strings.HasPrefix(last, "resource_")
}

// truncated cuts the body off in the middle, as a connection does that breaks
// before Content-Length is reached.
func truncated(_ context.Context, call cloud.Call, send func() error) error {
	return half(call, send, func() error { return io.ErrUnexpectedEOF })
}

// slow sends half of the body and then nothing, until the client gives up.
func slow(ctx context.Context, call cloud.Call, send func() error) error {
	ctx = call.Input.(*http.Request).Context()
	return half(call, send, func() error {
		<-ctx.Done()
		return ctx.Err()
	})
}

func half(call cloud.Call, send func() error, end func() error) error {
	if err := send(); err != nil {
		return err
	}
	resp := call.Output().(*http.Response)
	whole, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	cut := *resp
	cut.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), readerFunc(end)), resp.Body}
	call.Answer(&cut)
	return nil
}

type readerFunc func() error

func (f readerFunc) Read([]byte) (int, error) { return 0, f() }
