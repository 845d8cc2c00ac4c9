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

// handlerTransport answers requests in process.
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

// replica is a database of GitLab that lags: it answers as the first one did
// before the newest change, as long as that is no older than the lag.
type replica struct {
	next  http.RoundTripper
	clock func() time.Time

	mu    sync.Mutex
	seen  map[string]*http.Request // by URL
	old   map[string]recorded      // the answers before the newest change
	until time.Time
}

type recorded struct {
	status int
	header http.Header
	body   []byte
}

// replicaLag is how far a replica may be behind: with the difference of the
// clocks it stays below the settle time.
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

// remember notes what is asked, so that the answer can be kept.
func (r *replica) remember(req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[req.URL.String()] = req.Clone(context.Background())
}

// keep records the answers as they are now, for they are about to change. It
// asks without the lock: an answer may take its time, and a bubble's time stands
// still while anybody waits for a lock.
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
