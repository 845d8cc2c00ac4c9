package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// everything is the options of an API whose allow list is *.
func (f *fixture) everything() api.Options {
	o := f.options()
	o.Allows, o.Allowed = func(int64) bool { return true }, nil
	return o
}

func idsOf(projects []api.ProjectView) (ids []int64) {
	for _, p := range projects {
		ids = append(ids, p.ProjectID)
	}
	return ids
}

// listed pages through the list of projects.
func listed(f *fixture, handler http.Handler, limit int) (ids []int64) {
	f.Helper()
	for cursor := ""; ; {
		page := decode[api.ProjectList](f.T, call(handler, "GET", fmt.Sprintf("/v1/projects?limit=%d%s", limit, cursor), ""), http.StatusOK)
		if len(page.Projects) > limit {
			f.Errorf("a page of %d has %d", limit, len(page.Projects))
		}
		ids = append(ids, idsOf(page.Projects)...)
		if page.NextCursor == "" {
			return ids
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

func TestListProjects_ListsThoseOfTheAllowListOrAllThatAreKnown(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for _, id := range []int64{9, 2, 100} {
			f.must(f.Ledger.AddProject(t.Context(), id))
		}
		all := serve(t, f.everything())
		for _, limit := range []int{1, 2, 3, 100} {
			if got := listed(f, f.handler, limit); !slices.Equal(got, []int64{1, 2}) {
				t.Errorf("of the allow list by %d: %v", limit, got)
			}
			if got := listed(f, all, limit); !slices.Equal(got, []int64{2, 9, 100}) {
				t.Errorf("of all by %d: %v", limit, got)
			}
		}
		if p := get[api.ProjectView](f, "/v1/projects/1"); p.ProjectID != 1 || p.Path != "" || p.Counts != nil || p.Hook != nil || p.LastReconcile != nil {
			t.Errorf("of which nothing is known: %+v", p)
		}
		if p := problemIn(t, call(all, "GET", "/v1/projects/1", ""), http.StatusNotFound); p.Code != surgical.CodeProjectUnknown {
			t.Errorf("of which nothing is known: %+v", p)
		}
	})
}

func TestProject_IsFoundByItsPathsOnEveryRoute(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.Webhook(fakegitlab.IssueRef(7))
		f.must(f.Ledger.NameProject(t.Context(), 1, "group/sub.group/Renamed", f.Clock.Now()))
		f.must(f.Ledger.NameProject(t.Context(), 3, "secret/project", f.Clock.Now())) // it was allowed once
		for _, path := range []string{"1", fakegitlab.ProjectPath, "group/sub.group/renamed"} {
			escaped, query := url.PathEscape(path), url.QueryEscape(path)
			if p := get[api.ProjectView](f, "/v1/projects/"+escaped); p.ProjectID != 1 || p.Path != "group/sub.group/Renamed" {
				t.Errorf("%s is %+v", path, p)
			}
			if e := get[api.EntityView](f, "/v1/projects/"+escaped+"/issues/7"); e.ProjectID != 1 || e.IID != 7 {
				t.Errorf("%s: issue %+v", path, e)
			}
			get[api.DocumentList](f, "/v1/projects/"+escaped+"/issues/7/documents")
			if runs := get[api.RunList](f, "/v1/projects/"+escaped+"/issues/7/sync-runs").Runs; len(runs) != 1 {
				t.Errorf("%s: %d runs", path, len(runs))
			}
			if runs := get[api.RunList](f, "/v1/sync-runs?status=succeeded&project="+query).Runs; len(runs) != 1 || runs[0].ProjectID != 1 {
				t.Errorf("%s: runs %+v", path, runs)
			}
			if path != "1" {
				if list := get[api.ProjectList](f, "/v1/projects?path="+query).Projects; !slices.Equal(idsOf(list), []int64{1}) {
					t.Errorf("%s: projects %+v", path, list)
				}
			}
			body := fmt.Sprintf(`{"project":%q,"issues":[8]}`, path)
			if run := decode[api.RunSummary](t, f.post("/v1/sync-runs", body, "Idempotency-Key", "same"), http.StatusAccepted); run.ProjectID != 1 {
				t.Errorf("%s: run %+v", path, run)
			}
		}
		f.must(f.Ledger.NameProject(t.Context(), 2, fakegitlab.ProjectPath, f.Clock.Now()))
		if p := get[api.ProjectView](f, "/v1/projects/"+url.PathEscape(fakegitlab.ProjectPath)); p.ProjectID != 2 {
			t.Errorf("a path that another project took over finds %d", p.ProjectID)
		}
	})
}

// A path must not tell whether a project exists that the caller may not see.
func TestProject_APathThatIsNotAllowedIsLikeAnUnknownOne(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.must(f.Ledger.NameProject(t.Context(), 3, "secret/project", f.Clock.Now()))
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/v1/projects/%s", ""}, {"GET", "/v1/projects?path=%s", ""}, {"GET", "/v1/sync-runs?project=%s", ""},
			{"GET", "/v1/projects/%s/issues/7", ""}, {"GET", "/v1/projects/%s/merge_requests/7", ""},
			{"GET", "/v1/projects/%s/issues/7/documents", ""}, {"GET", "/v1/projects/%s/merge_requests/7/sync-runs", ""},
			{"POST", "/v1/sync-runs", `{"project":"%s","issues":[7]}`}, {"POST", "/v1/hides", `{"project":"%s"}`},
		} {
			ask := func(project string) string {
				path := strings.ReplaceAll(c.path, "%s", url.PathEscape(project))
				w := call(f.handler, c.method, path, strings.ReplaceAll(c.body, "%s", project))
				if p := problemIn(t, w, http.StatusNotFound); p.Code != surgical.CodeProjectUnknown || !strings.Contains(p.Detail, "use the project's id") {
					t.Errorf("%s %s: %+v", c.method, path, p)
				}
				return strings.ReplaceAll(w.Body.String(), project, "PROJECT")
			}
			if known, unknown := ask("secret/project"), ask("no/such"); known != unknown {
				t.Errorf("%s %s: %s, but of an unknown one %s", c.method, c.path, known, unknown)
			}
		}
		if p, err := f.Ledger.Project(t.Context(), 3); err != nil || !p.HiddenAt.IsZero() {
			t.Errorf("it was hidden: %+v, %v", p, err)
		}
		if f.items(f.Tables.SyncRuns) != 0 || len(f.queue.take()) != 0 {
			t.Error("a run was started")
		}
	})
}

// The gateway decodes paths.
func TestProject_IsFoundByAPathWithPlainSlashes(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.Webhook(fakegitlab.IssueRef(7))
		handler, err := api.New(f.options())
		f.must(err)
		for path, field := range map[string]string{
			"/v1/projects/demo/lorehook-demo":                    "path",
			"/v1/projects/demo/lorehook-demo/issues":             "entities",
			"/v1/projects/demo/lorehook-demo/merge_requests":     "entities",
			"/v1/projects/demo/lorehook-demo/issues/7":           "revision",
			"/v1/projects/demo/lorehook-demo/issues/7/documents": "documents",
			"/v1/projects/demo/lorehook-demo/issues/7/sync-runs": "runs",
			"/v1/projects/demo%2Florehook-demo/issues/7":         "revision",
			"/v1/projects/1/issues/7":                            "revision",
		} {
			event := events.APIGatewayV2HTTPRequest{RawPath: path}
			event.RequestContext.HTTP.Method = http.MethodGet
			answer, err := gateway.Adapt(handler)(t.Context(), event)
			if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(answer.Body, `"`+field+`"`) {
				t.Errorf("%s: %d %.200s, %v", path, answer.StatusCode, answer.Body, err)
			}
		}
		for path, status := range map[string]int{
			"/v1/projects/demo/lorehook-demo/issues/7/x": http.StatusNotFound, "/v1/projects/a//b": http.StatusNotFound, "/v1/projects/": http.StatusNotFound,
			"/v1/projects/demo/lorehook-demo/notes": http.StatusNotFound, "/v1/projects/demo/-/issues/7": http.StatusUnprocessableEntity,
		} {
			if w := call(handler, http.MethodGet, path, ""); w.Code != status {
				t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, status)
			}
		}
	})
}

// A project may be called like a part of a route.
func TestProject_IsFoundByAPathThatEndsLikeARoute(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		handler, err := api.New(f.options())
		f.must(err)
		for _, path := range []string{"group/issues", "group/merge_requests", "group/sub/changes"} {
			f.must(f.Ledger.NameProject(t.Context(), 2, path, f.Clock.Now()))
			for route, field := range map[string]string{"": "path", "/issues": "entities", "/merge_requests": "entities"} {
				event := events.APIGatewayV2HTTPRequest{RawPath: "/v1/projects/" + path + route}
				event.RequestContext.HTTP.Method = http.MethodGet
				answer, err := gateway.Adapt(handler)(t.Context(), event)
				if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(answer.Body, `"`+field+`"`) {
					t.Errorf("%s: %d %.200s, %v", event.RawPath, answer.StatusCode, answer.Body, err)
				}
			}
		}
	})
}

func TestHideProjects_RaisesHiddenAtAndNeverLowersIt(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		hide := func(body string) api.HiddenView {
			t.Helper()
			return decode[api.HiddenView](t, f.post("/v1/hides", body), http.StatusOK)
		}
		hiddenAt := func(id int64) time.Time {
			t.Helper()
			return get[api.ProjectView](f, fmt.Sprint("/v1/projects/", id)).HiddenAt
		}
		one := hide(`{"project":"1"}`)
		if one.ProjectID != 1 || !hiddenAt(1).Equal(one.HiddenAt) || !hiddenAt(2).IsZero() {
			t.Errorf("%+v: hidden at %v, another at %v", one, hiddenAt(1), hiddenAt(2))
		}
		f.Clock.Advance(time.Hour)
		all := hide(`{"all":true}`)
		if all.ProjectID != 0 || !all.HiddenAt.After(one.HiddenAt) || !hiddenAt(1).Equal(all.HiddenAt) || !hiddenAt(2).Equal(all.HiddenAt) {
			t.Errorf("%+v: hidden at %v and %v", all, hiddenAt(1), hiddenAt(2))
		}
		for body, location := range map[string]string{
			`{}`: "body.project", `{"all":false}`: "body.project", `{"project":"1","all":true}`: "body.project", `{"project":null}`: "body.project",
			`{"All":true}`: "body.All", `{"all":true,"all":true}`: "body.all", `{"project":"1","x":1}`: "body.x",
		} {
			p := problemIn(t, f.post("/v1/hides", body), http.StatusUnprocessableEntity)
			if len(p.Errors) == 0 || p.Errors[0].Location != location {
				t.Errorf("%s: %+v", body, p.Errors)
			}
		}
		if p := problemIn(t, f.post("/v1/hides", `{"project":"3"}`), http.StatusForbidden); p.Code != surgical.CodeProjectNotAllowed {
			t.Errorf("%+v", p)
		}
	})
}
