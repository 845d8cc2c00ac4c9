// Package cloudapi serves the manual API in a cloud. It is a separate package
// so that the API's own tests can use clouds.
package cloudapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

// APIs lends handlers of the API to one cloud after another, because building a
// handler's OpenAPI description takes longer than everything a cloud does.
type APIs struct {
	mu   sync.Mutex
	free []*lentAPI
}

// lentAPI is a handler over the services of the cloud that is using it.
type lentAPI struct {
	handler  http.Handler
	runs     struct{ api.Runs }
	projects struct{ api.Projects }
	passes   struct{ api.Passes }
	content  struct{ api.Content }
	queue    struct{ api.Queue }
	cloud    *cloud.Cloud
}

func newAPI() (*lentAPI, error) {
	l := &lentAPI{}
	var err error
	l.handler, err = api.New(api.Options{
		Runs: &l.runs, Projects: &l.projects, Passes: &l.passes, Content: &l.content, Queue: &l.queue, Allows: func(int64) bool { return true },
		Clock: func() time.Time { return l.cloud.Clock.Now() }, Log: slog.New(slog.DiscardHandler),
		NewKey:    func() string { return l.cloud.NewKey("api") },
		RequestID: func(*http.Request) string { return "request" },
		Crawl:     func(context.Context) error { l.cloud.StartCrawl(); return nil },
	})
	return l, err
}

// Lend returns a handler for the cloud, until its test ends.
func (a *APIs) Lend(c *cloud.Cloud, f *cloud.Functions) http.Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) == 0 {
		l, err := newAPI()
		if err != nil {
			c.T.Fatal(err)
		}
		a.free = append(a.free, l)
	}
	l := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	l.cloud, l.runs.Runs, l.projects.Projects, l.passes.Passes, l.content.Content, l.queue.Queue = c, f.Ledger, f.Ledger, f.Ledger, f.Content.ForReaders(f.Ledger.ProjectHiddenAt, surgical.Include), f.ToRequests
	c.T.Cleanup(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.free = append(a.free, l)
	})
	return l.handler
}
