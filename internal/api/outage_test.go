package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// without is the API's options with every call to DynamoDB failing as do says.
func (f *fixture) without(do cloud.Around) api.Options {
	f.Helper()
	o, db := f.options(), cloud.Intercept(f.DB, do)
	functions := cloud.Environment{DB: db, Tables: f.Tables, Clock: f.Clock.Now, Log: o.Log}.Functions()
	w := &cloud.World{Cloud: f.Cloud, DB: db, Tables: f.Tables, Ledger: functions.Ledger, Content: functions.Content}
	index := cloudsearch.New(f.T, w, func() surgical.Policy { return f.policy })
	o.Runs, o.Projects, o.Passes, o.Standing, o.Eraser = w.Ledger, w.Ledger, w.Ledger, w.Ledger, functions.Eraser
	o.Content, o.Feed = w.Content.ForReaders(w.Ledger.ProjectHiddenAt, f.policy), feed.NewStore(w.DB, w.Tables.Feed, w.Clock.Now)
	o.Search, o.Index, o.StartIndexer = index.Find, index.Manifests, index.Index
	return o
}

// within calls the API with so much time until the function's own deadline.
func within(f *fixture, handler http.Handler, left time.Duration, method, path, body string) *httptest.ResponseRecorder {
	ctx, cancel := context.WithTimeout(f.Context(), left)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func (f *fixture) unavailable(what string, w *httptest.ResponseRecorder) {
	f.Helper()
	p := problemIn(f.T, w, http.StatusServiceUnavailable)
	if p.Code != surgical.CodeDependencyUnavailable || !p.Retryable || p.Action != surgical.ActionRetryAfter || w.Header().Get("Retry-After") != "10" {
		f.Errorf("%s: %+v, Retry-After %q", what, p, w.Header().Get("Retry-After"))
	}
}

// The kinds of failure are those that remain after the SDK's own retries.
func TestEveryRequest_AnswersAnOutageOfDynamoDBWithWhenToTryAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for _, kind := range []faults.Kind{faults.ServerError, faults.BrokenConnection, faults.Timeout, faults.Throttled, faults.ThroughputExceeded} {
			handler := serve(t, f.without(kind.Do))
			paths := reads(t, map[string]string{"project": "1", "iid": "7", "run_id": "abc", "id": "1-aaaaaaaaaaaaaaaa"})
			delete(paths, "get-health")
			delete(paths, "get-description")
			paths["search-copies"] += "?q=words"
			paths["search-copies like one"] = "/v1/search?similar_to=1%237"
			for operation, path := range paths {
				f.unavailable(string(kind)+": "+operation, within(f, handler, surgical.AnswerReserve+50*time.Millisecond, http.MethodGet, path, ""))
			}
			for path, body := range map[string]string{"/v1/sync-runs": `{"project_id":1,"issues":[7]}`, "/v1/sync-runs/abc/cancel": "", "/v1/backfills": `{"project":"1"}`, "/v1/projects/1/issues/7/erasure": "", "/v1/drains": `{}`} {
				f.unavailable(string(kind)+": "+path, within(f, handler, surgical.AnswerReserve+50*time.Millisecond, http.MethodPost, path, body))
			}
		}
	})
}

func TestServe_AnswersBeforeItsOwnTimeIsOver(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.Webhook(fakegitlab.IssueRef(7))
		silent := func(ctx context.Context, _ cloud.Call, _ func() error) error {
			<-ctx.Done()
			return ctx.Err()
		}
		began := time.Now()
		w := within(f, serve(t, f.without(silent)), surgical.AnswerReserve+20*time.Millisecond, http.MethodGet, "/v1/projects/1/issues/7", "")
		f.unavailable("a silent DynamoDB", w)
		if took := time.Since(began); took >= surgical.AnswerReserve {
			t.Errorf("answered after %s", took)
		}
	})
}
