package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main(engines.Main, m, map[string]memory.Task{"api": readEntity}))
}

// fixture is the API over one cloud.
type fixture struct {
	*testing.T
	*cloud.World
	handler http.Handler
	queue   *inbox
	log     *bytes.Buffer
	// policy says whether the API shows confidential issues and internal notes.
	policy surgical.Policy
	search *cloudsearch.Search
}

// inbox is a queue that keeps what was sent to it.
type inbox struct {
	mu   sync.Mutex
	sent []surgical.Request
	// down lets every message get lost.
	down bool
}

func (q *inbox) Send(_ context.Context, req surgical.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down {
		return surgical.NewError(surgical.CodeQueueUnavailable, "the request could not be sent to the queue")
	}
	if err := req.Validate(); err != nil {
		return err
	}
	q.sent = append(q.sent, req)
	return nil
}

func (q *inbox) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.sent)
}

// take empties the queue. A run that was sent twice is returned once.
func (q *inbox) take() []surgical.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	var messages []surgical.Request
	for _, req := range q.sent {
		if !slices.ContainsFunc(messages, func(m surgical.Request) bool { return m.RunID == req.RunID }) {
			messages = append(messages, req)
		}
	}
	q.sent = nil
	return messages
}

// work processes what is queued, and the workflows that follow.
func (f *fixture) work() {
	f.Helper()
	for _, req := range f.queue.take() {
		if verdict, err := f.Deliver(req); err != nil || !cloud.Deleted(verdict) {
			f.Fatalf("run %s: %v, %v", req.RunID, verdict, err)
		}
	}
	f.Drive()
}

// inWorld runs the test in a fresh world. Storage is the same on every engine, which the
// tests of ledger and content, and the conformance suite, see to. Projects 1 and 2
// are on the allow list.
func inWorld(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		test(t, newFixture(t, e))
	})
}

func newFixture(t *testing.T, e engines.Engine) *fixture {
	t.Helper()
	f := &fixture{T: t, World: cloud.NewWorld(t, e.DynamoDB, e.Tables), queue: &inbox{}, log: &bytes.Buffer{}, policy: surgical.Include}
	f.search = cloudsearch.New(t, f.World, func() surgical.Policy { return f.policy })
	f.handler = serve(t, f.options())
	return f
}

func (f *fixture) options() api.Options {
	var projects config.AllowList
	if err := projects.UnmarshalText([]byte("1,2")); err != nil {
		f.Fatal(err)
	}
	return api.Options{
		Runs: f.Ledger, Projects: f.Ledger, Passes: f.Ledger, Standing: f.Ledger, Content: f.Content.ForReaders(f.Ledger.ProjectHiddenAt, f.policy), Eraser: f.Eraser, Feed: feed.NewStore(f.DB, f.Tables.Feed, f.Clock.Now), Queue: f.queue, Allows: projects.Allows, Allowed: projects.IDs(),
		Search: f.search.Find, Index: f.search.Manifests, StartIndexer: f.search.Index,
		Clock: f.Clock.Now, NewKey: rand.Text, Log: slog.New(slog.NewJSONHandler(f.log, nil)),
		RequestID: func(*http.Request) string { return "request-1" }, Gauges: f.gauges(),
	}
}

// gauges are the queues: what the test has sent waits, and the dead letters are one.
func (f *fixture) gauges() []api.Gauge {
	of := func(name string, count func() int) api.Gauge {
		return api.Gauge{Name: name, Depth: func(context.Context) (int, int, error) { return count(), 0, nil }}
	}
	none := func() int { return 0 }
	return []api.Gauge{
		of("requests", f.queue.waiting), of("hides", none), of("bulk", none), of("dead-letters", func() int { return 1 }), of("feed-failures", none),
	}
}

func serve(t *testing.T, o api.Options) http.Handler {
	t.Helper()
	handler, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return conforming(t, handler)
}

// call sends one request; headers are pairs.
func call(handler http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// get reads one JSON document.
func get[T any](f *fixture, path string) T {
	f.Helper()
	return decode[T](f.T, call(f.handler, http.MethodGet, path, ""), http.StatusOK)
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	if w.Code != status {
		t.Fatalf("answered %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

// problemIn reads an RFC 9457 answer.
func problemIn(t *testing.T, w *httptest.ResponseRecorder, status int) problem.Problem {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	p := decode[problem.Problem](t, w, status)
	if p.Status != status || p.Title != http.StatusText(status) || p.Code == "" || p.Action == "" || p.Detail == "" {
		t.Errorf("an incomplete problem: %+v", p)
	}
	return p
}

// post sends one JSON body.
func (f *fixture) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	return call(f.handler, http.MethodPost, path, body, headers...)
}

// start asks for a run and returns its id.
func (f *fixture) start(body string, headers ...string) string {
	f.Helper()
	return decode[api.RunSummary](f.T, f.post("/v1/sync-runs", body, headers...), http.StatusAccepted).RunID
}
