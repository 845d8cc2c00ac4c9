package pipeline

import (
	"context"
	"crypto/rand"
	"sync"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
)

// Sent is a queue that remembers what was sent.
type Sent struct {
	mu       sync.Mutex
	requests []surgical.Request
}

// Send implements sweep.Sender.
func (s *Sent) Send(_ context.Context, req surgical.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	return nil
}

// Take returns what was sent since the last call.
func (s *Sent) Take() []surgical.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

// Sweep lets the sweeper run once.
func (w *World) Sweep() sweep.Report {
	w.T.Helper()
	sweeper := &sweep.Sweeper{
		Ledger: w.Ledger, Content: w.Content, Launcher: w.Launcher(), Requests: &w.Resent, Bulk: &w.Resent,
		Clock: w.Clock.Now, Log: w.Logger(), NewTrace: trace.Source(rand.Reader),
	}
	report, err := sweeper.Handle(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}

// Orphans lists the entity's staged items that nothing names and that have no
// expiry.
func (w *World) Orphans(ref surgical.EntityRef) []string {
	w.T.Helper()
	orphans, err := w.Content.Orphans(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return orphans
}

var _ sweep.Sender = (*Sent)(nil)
