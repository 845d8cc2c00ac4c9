package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// stale fetches what was fetched before.
func stale(snap surgical.Snapshot) cloud.Fetch {
	return func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) { return snap, nil }
}

func TestBadInputIsRefusedWithItsValueNamed(t *testing.T) {
	foreign := func(f *fixture) string {
		f.Webhook(fakegitlab.IssueRef(7))
		return get[api.EntityView](f, "/v1/projects/1/issues/7?limit=1").NextCursor
	}
	inWorld(t, func(t *testing.T, f *fixture) {
		cursor := foreign(f)
		for _, c := range []struct {
			method, path string
			status       int
			code         surgical.Code
			names        string
		}{
			{"GET", "/v1/projects/1/issues/-7", 422, surgical.CodeInvalidRequest, "path.iid: expected number >= 1, got -7"},
			{"GET", "/v1/projects/1/issues/0", 422, surgical.CodeInvalidRequest, "got 0"},
			{"GET", "/v1/projects/-3/merge_requests/1", 422, surgical.CodeInvalidRequest, "path.project: expected string to be a project's id, or its path such as group/project, got \"-3\""},
			{"GET", "/v1/projects/group/issues/7", 404, surgical.CodeProjectUnknown, "group/issues/7"},
			{"POST", "/v1/projects/group/issues/7/erasure", 422, surgical.CodeInvalidRequest, `got "group"`},
			{"GET", "/v1/projects/9007199254740992/issues/7", 422, surgical.CodeInvalidRequest, "path.project: expected number between 1 and 9007199254740991"},
			{"GET", "/v1/projects/group%2F..%2Fname/issues/7", 404, surgical.CodeInvalidRequest, "no such path"},
			{"GET", "/v1/projects/group%2F-name/issues/7", 422, surgical.CodeInvalidRequest, `got "group/-name"`},
			{"GET", "/v1/sync-runs?project=group/-name", 422, surgical.CodeInvalidRequest, "query.project"},
			{"GET", "/v1/sync-runs?project=group/./name", 422, surgical.CodeInvalidRequest, "query.project"},
			{"GET", "/v1/sync-runs?project=1&project_id=1", 422, surgical.CodeInvalidRequest, "exclude each other"},
			{"GET", "/v1/projects?cursor=e30", 422, surgical.CodeInvalidRequest, "query.cursor"},
			{"GET", "/v1/projects/1/issues/99999999999999999999", 422, surgical.CodeInvalidRequest, `got "99999999999999999999"`},
			{"GET", "/v1/projects/1/issues/7?limit=0", 422, surgical.CodeInvalidRequest, "query.limit"},
			{"GET", "/v1/projects/1/issues/7?limt=3", 422, surgical.CodeInvalidRequest, "query.limt"},
			{"GET", "/v1/projects/1/issues/7?cursor=!!", 422, surgical.CodeInvalidRequest, "query.cursor"},
			{"GET", "/v1/projects/1/issues/7?cursor=e30", 422, surgical.CodeInvalidRequest, "query.cursor"},
			{"GET", "/v1/projects/1/merge_requests/7?cursor=" + cursor, 422, surgical.CodeInvalidRequest, "another list"},
			{"GET", "/v1/sync-runs?status=failed&status=queued", 422, surgical.CodeInvalidRequest, `query.status: named twice, got ["failed","queued"]`},
			{"GET", "/v1/sync-runs?status=", 422, surgical.CodeInvalidRequest, `query.status: expected a value, got ""`},
			{"GET", "/v1/sync-runs?status=%zz", 422, surgical.CodeInvalidRequest, `got "status=%zz"`},
			{"GET", "/v1/sync-runs?project_id=3", 403, surgical.CodeProjectNotAllowed, "project 3"},
			{"GET", "/v1/projects/3/merge_requests/7/documents", 403, surgical.CodeProjectNotAllowed, "project 3"},
			{"GET", "/v1/projects/3/issues/7/sync-runs", 403, surgical.CodeProjectNotAllowed, "project 3"},
			{"GET", "/v1/projects/3/issues/7", 403, surgical.CodeProjectNotAllowed, "project 3"},
			{"GET", "/v1/projects/2/issues/7", 404, surgical.CodeEntityNotFound, "project 2 issue#7"},
			{"GET", "/v1/sync-runs/Not-A-Run", 422, surgical.CodeInvalidRequest, `"Not-A-Run"`},
			{"GET", "/v1/sync-runs/" + strings.Repeat("a", 65), 422, surgical.CodeInvalidRequest, "path.run_id"},
			{"GET", "/v1/unknown", 404, surgical.CodeInvalidRequest, "no such path"},
			{"GET", "/v1//sync-runs/abc", 404, surgical.CodeInvalidRequest, "no such path"},
			{"GET", "/v1/sync-runs/abc/", 404, surgical.CodeInvalidRequest, "no such path"},
			{"GET", "/", 404, surgical.CodeInvalidRequest, "no such path"},
			{"DELETE", "/v1/sync-runs/abc", 405, surgical.CodeInvalidRequest, "method"},
			{"POST", "/healthz", 405, surgical.CodeInvalidRequest, "method"},
		} {
			w := call(f.handler, c.method, c.path, "")
			p := problemIn(t, w, c.status)
			if p.Code != c.code || !strings.Contains(p.Detail, c.names) || p.Retryable {
				t.Errorf("%s %s: %+v, want %s and %q", c.method, c.path, p, c.code, c.names)
			}
			if c.status == http.StatusMethodNotAllowed && !strings.Contains(w.Header().Get("Allow"), "GET") {
				t.Errorf("%s %s: Allow is %q", c.method, c.path, w.Header().Get("Allow"))
			}
		}
	})
}

func TestTheAPIDescribesItself(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		doc := get[map[string]any](f, "/openapi.json")
		description, err := api.Description()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := json.Marshal(description)
		if err != nil {
			t.Fatal(err)
		}
		if got := call(f.handler, http.MethodGet, "/openapi.json", "").Body.String(); got != string(whole) {
			t.Errorf("%d bytes are served of a description of %d, examples included", len(got), len(whole))
		}
		if doc["openapi"] != "3.1.0" {
			t.Errorf("openapi is %v", doc["openapi"])
		}
		schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
		if schemas["Problem"] == nil || schemas["ErrorModel"] != nil {
			t.Error("errors are not described as problems alone")
		}
		if got := get[map[string]string](f, "/healthz"); got["status"] != "ok" {
			t.Errorf("healthz: %v", got)
		}
	})
}

// broken is a ledger that is out of reach.
type broken struct{ api.Runs }

func (broken) Run(context.Context, string) (surgical.Run, error) {
	return surgical.Run{}, errors.New("read run: token glpat-secret refused")
}

// panicking is a programming mistake.
type panicking struct{ api.Runs }

func (panicking) Run(context.Context, string) (surgical.Run, error) { panic("a bug") }

func TestAnInternalFailureHidesItsCauseAndLogsIt(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for name, c := range map[string]struct {
			runs   api.Runs
			logged string
		}{
			"refused": {broken{f.Ledger}, "refused"},
			"a bug":   {panicking{f.Ledger}, "panic: string at "}, // without its value
		} {
			f.log.Reset()
			o := f.options()
			o.Runs = c.runs
			w := call(serve(t, o), http.MethodGet, "/v1/sync-runs/abc", "")
			p := problemIn(t, w, http.StatusInternalServerError)
			if p.Code != surgical.CodeInternal || !p.Retryable || strings.Contains(w.Body.String(), name) {
				t.Errorf("%s: %s", name, w.Body)
			}
			if log := f.log.String(); !strings.Contains(log, c.logged) || strings.Contains(log, name) != (name == c.logged) {
				t.Errorf("%s: the log says %s", name, f.log)
			}
		}
	})
}

func TestServe_LetsNoAnswerBeStoredOrTakenForAnotherType(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		run := f.Webhook(fakegitlab.IssueRef(7))
		o := f.options()
		o.Runs = panicking{f.Ledger}
		for path, h := range map[string]http.Handler{
			"/v1/sync-runs/" + run.RunID: f.handler, "/v1/projects/1/issues/7": f.handler, "/v1/sync-runs/unknown": f.handler, "/nowhere": f.handler,
			"/v1//sync-runs": f.handler, "/openapi.json": f.handler, "/v1/sync-runs/abc": serve(t, o),
		} {
			w := call(h, http.MethodGet, path, "")
			if got := w.Header(); got.Get("Cache-Control") != "no-store" || got.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: status %d, headers %v", path, w.Code, got)
			}
		}
	})
}

func TestARequestIsOneLineInTheLogWithoutItsValues(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		call(f.handler, http.MethodGet, "/v1/projects/1/issues/4711?cursor=private", "")
		var line map[string]any
		if err := json.Unmarshal(f.log.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, f.log)
		}
		for key, want := range map[string]any{
			"msg": "request", "method": "GET", "route": "GET /v1/projects/{project}/issues/{iid}",
			"http_status": 422.0, "code": "invalid_request", "request_id": "request-1",
		} {
			if line[key] != want {
				t.Errorf("%s is %v, want %v", key, line[key], want)
			}
		}
		if strings.Contains(f.log.String(), "4711") || strings.Contains(f.log.String(), "private") || line["duration_ms"] == nil {
			t.Errorf("the line: %s", f.log)
		}
	})
}

func TestTheGatewaysEventsAreServed(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		run := f.Webhook(fakegitlab.IssueRef(7))
		event := events.APIGatewayV2HTTPRequest{
			Version: "2.0", RawPath: "/v1/sync-runs/" + run.RunID,
			RequestContext: events.APIGatewayV2HTTPRequestContext{
				DomainName: "api.example.com",
				HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "GET", Path: "/v1/sync-runs/" + run.RunID},
			},
		}
		got, err := gateway.Adapt(f.handler)(t.Context(), event)
		if err != nil || got.StatusCode != http.StatusOK || got.IsBase64Encoded || !strings.Contains(got.Body, run.RunID) {
			t.Errorf("%+v, %v", got, err)
		}
		// The gateway decodes the path: it may hold anything by then.
		for _, id := range []string{"a\x1fb", "a b", "a?b", "a#b", "100%", "%zz", "ä", "\u2028"} {
			event.RawPath = "/v1/sync-runs/" + id
			got, err := gateway.Adapt(f.handler)(t.Context(), event)
			if err != nil || got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Body, "path.run_id") {
				t.Errorf("%q: %+v, %v", id, got, err)
			}
		}
	})
}

// before fetches after something else happened.
func before(fetch cloud.Fetch, do func()) cloud.Fetch {
	return func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		do()
		return fetch(ctx, ref)
	}
}
