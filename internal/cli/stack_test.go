package cli_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	"gitlab.com/lorehook/lorehook/test/engines"
)

// stack is the program beside the real API and webhook over a whole cloud.
type stack struct {
	*program
	*cloud.World
	queue  *inbox
	url    string
	search *cloudsearch.Search
	// crawls makes the crawler run while the program waits.
	crawls bool
	// contentWrites counts the calls that wrote to the content table.
	contentWrites atomic.Int64
}

// inbox is a queue that keeps its messages.
type inbox struct {
	mu   sync.Mutex
	sent []surgical.Request
}

func (q *inbox) Send(_ context.Context, req surgical.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.ContainsFunc(q.sent, func(r surgical.Request) bool { return r.RunID == req.RunID }) {
		q.sent = append(q.sent, req)
	}
	return nil
}

func (q *inbox) depth(context.Context) (waiting, received int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.sent), 0, nil
}

func (q *inbox) take() []surgical.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.sent
	q.sent = nil
	return taken
}

// work processes the queue and the workflows. The program calls it while it waits.
func (s *stack) work(context.Context) {
	for _, req := range s.queue.take() {
		if _, err := s.Deliver(req); err != nil {
			s.t.Logf("delivered %s: %v", req.RunID, err)
		}
	}
	s.Drive()
	if s.crawls {
		s.World.Clock.Advance(surgical.CrawlInterval)
		s.World.Crawl()
		for _, record := range s.World.Resent() {
			if _, err := s.Deliver(record); err != nil {
				s.t.Logf("delivered %s: %v", record.RunID, err)
			}
		}
		s.Drive()
	}
}

// inStack runs the test with a fresh stack. Projects 1 and 2 are
// on the allow list.
func inStack(t *testing.T, test func(t *testing.T, s *stack)) {
	t.Helper()
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		s := &stack{program: newProgram(t), queue: &inbox{}}
		s.World = cloud.NewWorld(t, cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			if slices.Contains(call.Tables(), e.Tables.Content) {
				s.contentWrites.Add(1)
			}
			return send()
		}), e.Tables)
		s.paused = s.work
		s.search = cloudsearch.New(t, s.World, func() surgical.Policy { return surgical.Include })
		allows := func(id int64) bool { return id == 1 || id == 2 }
		log := slog.New(slog.DiscardHandler)
		handler, err := api.New(api.Options{
			Runs: s.Ledger, Projects: s.Ledger, Passes: s.Ledger, Standing: s.Ledger, Content: s.Content.ForReaders(s.Ledger.ProjectHiddenAt, surgical.Include), Eraser: s.Eraser, Feed: feed.NewStore(s.DB, s.Tables.Feed, s.Clock.Now), Queue: s.queue,
			Gauges: []api.Gauge{{Name: "requests", Depth: s.queue.depth}, {Name: "dead-letters", Depth: func(context.Context) (int, int, error) { return 1, 0, nil }}},
			Search: s.search.Find, Index: s.search.Manifests, Allows: allows, Allowed: []int64{1, 2}, Clock: s.Clock.Now,
			NewKey: func() string { return "of-the-api" }, Log: log,
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", handler)
		mux.Handle("POST /webhooks/gitlab", &webhook.Handler{
			Verifiers: verifiers{t}, Queue: s.queue, Hides: s.queue, Allows: allows, Clock: s.Clock.Now, Log: log,
		})
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		s.url = server.URL
		s.local(map[string]string{"api_url": server.URL, "webhook_url": server.URL + "/webhooks/gitlab", "signing_token": signingToken})
		test(t, s)
	})
}

// verifiers return a verifier for the tests' tokens.
type verifiers struct{ t *testing.T }

func (v verifiers) Get(context.Context) (*delivery.Verifier, error) {
	return delivery.NewVerifier([]string{signingToken}, []string{"secret-not-a-real-one"})
}

func (v verifiers) Refresh(ctx context.Context) (*delivery.Verifier, bool, error) {
	verifier, err := v.Get(ctx)
	return verifier, false, err
}
