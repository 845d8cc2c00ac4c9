package clients

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// stack is the API of one cloud whose workers finish every run before the answer to its
// request goes out.
type stack struct {
	*cloud.World
	url string

	mu   sync.Mutex
	sent []surgical.Request
	// refused are the reasons why calls had no valid signature.
	refused []error
}

func start(t *testing.T, e engines.Engine) *stack {
	t.Helper()
	s := &stack{World: cloud.NewWorld(t, e.DynamoDB, e.Tables)}
	// The path of a project is known once something of it was fetched.
	s.Webhook(fakegitlab.IssueRef(8))
	handler, err := api.New(api.Options{
		Runs: s.Ledger, Projects: s.Ledger, Passes: s.Ledger, Standing: s.Ledger, Eraser: s.Eraser, Queue: s,
		Content: s.Content.ForReaders(s.Ledger.ProjectHiddenAt, surgical.Include),
		Allows:  func(id int64) bool { return id == fakegitlab.ProjectID }, Allowed: []int64{fakegitlab.ProjectID},
		Clock: s.Clock.Now, NewKey: rand.Text, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.gateway(handler))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// Send implements [api.Queue].
func (s *stack) Send(_ context.Context, req surgical.Request) error {
	s.sent = append(s.sent, req)
	return req.Validate()
}

// gateway refuses a call without a valid signature as the real one does.
func (s *stack) gateway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := checkSignature(r); err != nil {
			s.refused = append(s.refused, err)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"Forbidden"}`))
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		for _, req := range s.sent {
			_, _ = s.Deliver(req) // a run that fails is wanted too
		}
		s.sent = nil
		s.Drive()
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// manual counts the runs that were started through the API.
func (s *stack) manual() int {
	s.T.Helper()
	runs, _, err := s.Ledger.List(s.T.Context(), ledger.RunFilter{ProjectID: fakegitlab.ProjectID}, ledger.RunPlace{}, 100)
	if err != nil {
		s.T.Fatal(err)
	}
	count := 0
	for _, run := range runs {
		if run.Origin == surgical.OriginManual {
			count++
		}
	}
	return count
}
