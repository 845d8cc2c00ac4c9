package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/sample"
)

// contractExamples are how many calls are invented for each operation in make contract:
// with those that follow from the description itself some 1,200. Otherwise it is a fifth
// of them in CI, and two elsewhere, in which not every status is met.
const contractExamples = 50

func TestTheAPIAnswersAsItsDescriptionSaysWhateverItIsAsked(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of calls are slow: not with -short")
	}
	// The contract is not about storage.
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		f.Webhook(fakegitlab.IssueRef(7))
		f.GitLab.SetMergeRequest(fakegitlab.NewMergeRequest(7, "Of the examples' iid", "", instant("2026-05-21T14:30:00Z")))
		f.Sync(f.Request(surgical.OriginManual, fakegitlab.MergeRequestRef(7), fakegitlab.MergeRequestRef(12)))
		f.index()
		o := f.options()
		o.Allows = func(projectID int64) bool { return projectID%2 == 1 }
		met := &met{answers: map[string]int{}}
		server := httptest.NewServer(f.working(serve(t, o), met))
		defer server.Close()

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		calls := contractExamples
		if !devstack.FullContract() {
			calls = sample.Of(calls/5, 2)
		}
		report, err := devstack.Schemathesis(ctx, contractDescription(t, f.examples()), server.URL, calls)
		engines.SkipMissing(t, err)
		if err != nil {
			t.Fatalf("%v\n%s", err, report)
		}
		for _, done := range []string{"Tested: 41", "✅ Examples", "✅ Coverage", "✅ Fuzzing", "✅ Stateful"} {
			if !strings.Contains(report, done) {
				t.Errorf("no %q in\n%s", done, report)
			}
		}
		if devstack.FullContract() {
			met.check(t)
		}
	})
}

// contractDescription is a file with the API's description, with real runs for
// its examples, without the key that would make every call the same run, and
// without its signatures, which only the gateway asks for.
func contractDescription(t *testing.T, runs map[string]string) string {
	t.Helper()
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	description.Components.SecuritySchemes = nil
	for _, item := range description.Paths {
		for _, op := range api.Operations(item) {
			op.Security = nil
			for _, p := range op.Parameters {
				switch p.Name {
				case "run_id":
					p.Example, p.Schema.Examples = runs[op.OperationID], nil
				case "id":
					if id, ok := runs[op.OperationID]; ok {
						p.Example, p.Schema.Examples = id, nil
					}
				case "Idempotency-Key":
					p.Example, p.Schema.Examples = nil, nil
				}
			}
		}
	}
	raw, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// examples are a run to read, one to retry and one to cancel, and a backfill that has
// ended.
func (f *fixture) examples() map[string]string {
	f.Helper()
	read, retry := f.start(`{"project_id":1,"issues":[8]}`), f.start(`{"project_id":1,"issues":[8,404]}`)
	f.work()
	cancel := f.start(`{"project_id":1,"issues":[9]}`)
	f.queue.take()
	const project = 5
	id := surgical.NewPassID(project, surgical.PassBackfill, "ended")
	if _, err := f.Ledger.StartBackfill(f.Context(), surgical.NewBackfill(project, id, id, f.Clock.Now())); err != nil {
		f.Fatal(err)
	}
	if _, err := f.Ledger.ChangePass(f.Context(), project, id, func(p surgical.Pass) (surgical.Pass, bool) {
		p.Status = surgical.StatusSucceeded
		return p, true
	}); err != nil {
		f.Fatal(err)
	}
	return map[string]string{"get-sync-run": read, "retry-sync-run": retry, "cancel-sync-run": cancel, "cancel-backfill": id}
}

// working carries out every second run that is asked for before its answer goes
// out, so that runs of every status are met, the same ones each time. What is hidden
// is fetched again, so that later calls meet it.
func (f *fixture) working(handler http.Handler, met *met) http.Handler {
	document := descriptionOf(f.T)
	var mu sync.Mutex
	posts := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		mu.Lock()
		defer mu.Unlock()
		met.answers[fmt.Sprintf("%s %s %d", r.Method, patternOf(document, r), answer.Code)]++
		if posts++; r.Method == http.MethodPost && posts%2 == 0 {
			for _, req := range f.queue.take() {
				_, _ = f.Deliver(req) // a run that fails is wanted too
			}
			f.Drive()
		}
		if r.URL.Path == "/v1/hides" && answer.Code == http.StatusOK {
			f.fetchAgain()
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/erasure") && answer.Code == http.StatusOK {
			f.bringBack(answer.Body.Bytes())
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// fetchAgain makes a copy of everything that calls may read.
func (f *fixture) fetchAgain() {
	f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7)))
	f.Sync(f.Request(surgical.OriginManual, fakegitlab.MergeRequestRef(7), fakegitlab.MergeRequestRef(12)))
}

// bringBack completes the erasure of an answer, lifts it, and fetches everything again.
func (f *fixture) bringBack(answer []byte) {
	f.Helper()
	var erased api.ErasureView
	if err := json.Unmarshal(answer, &erased); err != nil {
		f.Fatal(err)
	}
	ref := surgical.EntityRef{ProjectID: erased.ProjectID, Target: surgical.Target{Type: erased.Type, IID: erased.IID}}
	f.Clock.Advance(surgical.EraseSettle)
	open, err := f.Ledger.Erasure(f.Context(), ref)
	if err == nil && open != nil {
		_, err = f.Eraser.Resume(f.Context(), *open)
	}
	if err == nil {
		err = f.Eraser.Lift(f.Context(), ref)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.fetchAgain()
}

// met counts the answers by method, path and status.
type met struct{ answers map[string]int }

// check sees that the calls went deep enough to show something.
func (m *met) check(t *testing.T) {
	t.Helper()
	const runs, run, issue, mr = "/v1/sync-runs", "/v1/sync-runs/{run_id}", "/v1/projects/{project}/issues/{iid}", "/v1/projects/{project}/merge_requests/{iid}"
	for _, want := range []struct {
		method, path string
		statuses     []int
	}{
		{"POST", runs, []int{200, 202, 400, 403, 409, 415, 422}},
		{"GET", runs, []int{200, 403, 422}},
		{"GET", run, []int{200, 404, 422}},
		{"POST", run + "/cancel", []int{200, 404, 409, 422}},
		{"POST", run + "/retry-failed", []int{202, 404, 409, 422}},
		{"POST", "/v1/drains", []int{202, 400, 403, 415, 422}},
		{"GET", issue, []int{200, 403, 404, 422}},
		{"GET", issue + "/documents", []int{200, 403, 404, 422}},
		{"GET", issue + "/sync-runs", []int{200, 403, 422}},
		{"GET", issue + "/why", []int{200, 403, 422}},
		{"GET", mr + "/why", []int{200, 403, 422}},
		{"GET", mr, []int{200, 403, 404, 422}},
		{"GET", mr + "/documents", []int{200, 403, 404, 422}},
		{"GET", issue + "/erasure", []int{200, 404, 422}},
		{"POST", issue + "/erasure", []int{200, 404, 422}},
		{"DELETE", issue + "/erasure", []int{200, 404, 422}},
		{"POST", mr + "/erasure", []int{200, 404, 422}},
		{"GET", "/v1/erasures", []int{200}},
		{"GET", mr + "/sync-runs", []int{200, 403, 422}},
		{"GET", "/v1/projects/{project}/entities", []int{200, 403, 404, 422}},
		{"GET", "/v1/projects/{project}/issues", []int{200, 403, 404, 422}},
		{"GET", "/v1/projects/{project}/merge_requests", []int{200, 403, 404, 422}},
		{"GET", "/v1/changes", []int{200, 403, 404, 422}},
		{"GET", "/v1/search", []int{200, 404, 422}},
		{"GET", "/v1/index", []int{200}},
		{"POST", "/v1/index/rebuild", []int{202}},
		{"GET", "/v1/projects", []int{200, 403, 404, 422}},
		{"GET", "/v1/projects/{project}", []int{200, 403, 404, 422}},
		{"POST", "/v1/hides", []int{200, 400, 404, 415, 422}},
		{"POST", "/v1/backfills", []int{202, 400, 403, 409, 415, 422}},
		{"GET", "/v1/backfills", []int{200}}, // has no parameters
		{"GET", "/v1/backfills/{id}", []int{200, 404, 422}},
		{"POST", "/v1/backfills/{id}/cancel", []int{200, 404, 409, 422}},
		{"POST", "/v1/backfills/{id}/retry-failed", []int{202, 404, 422}},
		{"POST", "/v1/reconciles", []int{202, 400, 403, 404, 415, 422}},
		{"GET", "/v1/reconciles", []int{200, 403, 404, 422}},
		{"GET", "/healthz", []int{200}},
		{"GET", "/openapi.json", []int{200}},
	} {
		for _, status := range want.statuses {
			if answer := fmt.Sprintf("%s %s %d", want.method, want.path, status); m.answers[answer] == 0 {
				t.Errorf("nothing was answered with %s", answer)
			}
		}
	}
}
