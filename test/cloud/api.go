package cloud

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
)

// APIs lends handlers of the API to clouds, one after the other: describing
// itself takes a handler longer than a cloud takes for all its work.
type APIs struct {
	mu   sync.Mutex
	free []*lentAPI
}

// lentAPI is a handler over what its cloud of the moment stands on.
type lentAPI struct {
	handler http.Handler
	runs    struct{ api.Runs }
	content struct{ api.Content }
	queue   struct{ api.Queue }
	cloud   *Cloud
}

func newAPI() (*lentAPI, error) {
	l := &lentAPI{}
	var err error
	l.handler, err = api.New(api.Options{
		Runs: &l.runs, Content: &l.content, Queue: &l.queue, Allows: func(int64) bool { return true },
		Clock: func() time.Time { return l.cloud.Clock.Now() }, Log: slog.New(slog.DiscardHandler),
		NewKey:    func() string { return fmt.Sprintf("api-%d", l.cloud.keys.Add(1)) },
		RequestID: func(*http.Request) string { return "request" },
	})
	return l, err
}

// lend returns a handler for the cloud, until its test ends.
func (a *APIs) lend(c *Cloud, rows *ledger.Ledger, store *content.Store) http.Handler {
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
	l.cloud, l.runs.Runs, l.content.Content, l.queue.Queue = c, rows, store, c.sender
	c.T.Cleanup(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.free = append(a.free, l)
	})
	return l.handler
}
