package cloud

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// handlerTransport serves requests in process.
type handlerTransport struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	server := req.Clone(req.Context())
	server.RequestURI = req.URL.RequestURI()
	if server.Body == nil {
		server.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	t.ServeHTTP(recorder, server)
	resp := recorder.Result()
	resp.Request = req
	return resp, nil
}

// replica is a lagging database of GitLab: it responds as the primary did
// before the newest change, as long as that change is no older than the lag.
type replica struct {
	next  http.RoundTripper
	clock func() time.Time

	mu    sync.Mutex
	seen  map[string]*http.Request // by URL
	old   map[string]recorded      // the responses before the newest change
	until time.Time
}

type recorded struct {
	status int
	header http.Header
	body   []byte
}

// replicaLag is how far a replica may lag behind. Together with the difference
// of the clocks it stays below the settle time.
const replicaLag = time.Second

func newReplica(next http.RoundTripper, clock func() time.Time) *replica {
	return &replica{next: next, clock: clock, seen: map[string]*http.Request{}}
}

// RoundTrip implements [http.RoundTripper].
func (r *replica) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	old, lags := r.old[req.URL.String()]
	lags = lags && r.clock().Before(r.until)
	r.mu.Unlock()
	if !lags {
		return r.next.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: old.status, Status: http.StatusText(old.status), Header: old.header.Clone(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(old.body)), ContentLength: int64(len(old.body)), Request: req,
	}, nil
}

// remember records the request, so that its response can be kept.
func (r *replica) remember(req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[req.URL.String()] = req.Clone(context.Background())
}

// keep records the current responses, because they are about to change. It
// makes the requests without holding the lock: a response can take time, and a
// bubble's time does not advance while anything waits for a lock.
func (r *replica) keep() error {
	r.mu.Lock()
	until, seen := r.clock().Add(replicaLag), maps.Clone(r.seen)
	r.mu.Unlock()
	old := map[string]recorded{}
	for address, req := range seen {
		resp, err := r.next.RoundTrip(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		old[address] = recorded{resp.StatusCode, resp.Header, body}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.old, r.until = old, until
	return nil
}
