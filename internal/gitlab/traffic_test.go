package gitlab_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

type meter struct {
	mu       sync.Mutex
	recorded []metrics.Traffic
}

func (m *meter) Fetched(t metrics.Traffic) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recorded = append(m.recorded, t)
}

func TestClientFetch_ReportsItsTrafficToTheMeter(t *testing.T) {
	ref := fakegitlab.IssueRef(7)
	// The budget falls with each response; only the lowest counts.
	budget := func(next http.Handler) http.Handler {
		var left atomic.Int64
		left.Store(1990)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("RateLimit-Remaining", strconv.FormatInt(left.Add(-1), 10))
			w.Header().Set("RateLimit-Limit", "2000")
			next.ServeHTTP(w, r)
		})
	}
	answer := func(status int) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"message":"%d %s"}`, status, http.StatusText(status))
			})
		}
	}
	header := func(name, value string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(name, value)
				next.ServeHTTP(w, r)
			})
		}
	}
	for name, c := range map[string]struct {
		between func(http.Handler) http.Handler
		want    metrics.Traffic
	}{
		"GitLab sends no budget": {func(next http.Handler) http.Handler { return next }, metrics.Traffic{Requests: 5, BudgetLeft: -1, Budget: -1}},
		"the budget falls":       {budget, metrics.Traffic{Requests: 5, BudgetLeft: 1985, Budget: 2000}},
		"the budget is spent":    {header("RateLimit-Remaining", "0"), metrics.Traffic{Requests: 5, BudgetLeft: 0, Budget: -1}},
		"the budget is invalid":  {header("RateLimit-Remaining", "-7"), metrics.Traffic{Requests: 5, BudgetLeft: -1, Budget: -1}},
		"429":                    {answer(429), metrics.Traffic{RateLimited: 1, BudgetLeft: -1, Budget: -1}},
		"401":                    {answer(401), metrics.Traffic{Unauthorized: true, BudgetLeft: -1, Budget: -1}},
		"403":                    {answer(403), metrics.Traffic{BudgetLeft: -1, Budget: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
			m := &meter{}
			client := newClient(t, serve(t, c.between(server)), func(o *gitlab.Options) { o.Meter = m })
			_, err := client.Fetch(t.Context(), ref)
			if len(m.recorded) != 1 {
				t.Fatalf("%d fetches recorded, error %v", len(m.recorded), err)
			}
			got := m.recorded[0]
			if err != nil {
				// The first failure cancels the others, so the number of requests and
				// responses is a race.
				if got.Requests < 1 || got.Requests > 5 || (got.RateLimited > 0) != (c.want.RateLimited > 0) {
					t.Errorf("recorded %+v", got)
				}
				got.Requests, got.RateLimited = c.want.Requests, c.want.RateLimited
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
}

// A rotated token is refused once and then read again, which needs no operator.
func TestClientFetch_DoesNotCountARenewedTokenAsUnauthorized(t *testing.T) {
	m := &meter{}
	token := "glpat-expired"
	_, client := demo(t, func(o *gitlab.Options) {
		o.Meter = m
		o.Token = func(context.Context) (string, error) { return token, nil }
		o.RefreshToken = func(context.Context) (bool, error) { token = sampleToken; return true, nil }
	})
	if _, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7)); err != nil {
		t.Fatal(err)
	}
	if len(m.recorded) != 1 || m.recorded[0].Unauthorized || m.recorded[0].Requests < 6 {
		t.Errorf("recorded %+v", m.recorded)
	}
}
