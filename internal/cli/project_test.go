package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// paths is an API that knows some projects by their paths, and records what else is
// requested.
type paths struct {
	known map[string]int64
	asked []string
}

func (a *paths) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Query().Get("path"); path != "" {
		id := a.known[path]
		if id == 0 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"type":"urn:lorehook:error:project_unknown","title":"Not Found","status":404,"detail":"no project with the path is known","code":"project_unknown","action":"fix_request","retryable":false}`)
			return
		}
		fmt.Fprintf(w, `{"projects":[{"project_id":%d}]}`, id)
		return
	}
	a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	fmt.Fprint(w, `{}`)
}

// besideAPI serves the API to the program.
func besideAPI(p *program, api http.Handler) {
	server := httptest.NewServer(api)
	p.t.Cleanup(server.Close)
	p.env["LOREHOOK_API_URL"] = server.URL
}

func TestReference_IsAnIDOrAPathOrAURL(t *testing.T) {
	const issue, mr = "GET /v1/projects/3/issues/7", "GET /v1/projects/3/merge_requests/12"
	for _, c := range []struct {
		args string
		want string // the request
	}{
		{"-p 3 --issue 7", issue}, {"-p group/project --issue 7", issue}, {"-p group/sub.group/pro-ject_1.go --mr 12", mr},
		{"-p https://gitlab.example.com/group/project --issue 7", issue}, {"-p https://gitlab.example.com/group/project/-/issues --issue 7", issue},
		{"-p https://gitlab.example.com/group/project/ --mr 12", mr},
		{"3#7", issue}, {"3!12", mr}, {"group/project#7", issue}, {"group/project!12", mr}, {"group/sub.group/pro-ject_1.go#7", issue},
		{"-p group/project group/project#7", issue}, {"-p Group/Project group/project#7", issue},
		{"https://gitlab.example.com/group/project/-/issues/7", issue}, {"https://gitlab.example.com/group/project/-/issues/7#note_123", issue},
		{"https://gitlab.example.com/group/project/-/issues/7/designs?x=1", issue}, {"https://gitlab.example.com/group/sub.group/pro-ject_1.go/-/work_items/7", issue},
		{"https://gitlab.example.com/group/project/-/merge_requests/12", mr}, {"https://gitlab.example.com/group/project/-/merge_requests/12/diffs#x", mr},
		{"https://GitLab.example.com:443/group/project/issues/7", issue}, {"https://gitlab.example.com/group/project/merge_requests/12", mr},
	} {
		p := newProgram(t)
		p.env["GITLAB_BASE_URL"] = "https://gitlab.example.com"
		api := &paths{known: map[string]int64{"group/project": 3, "group/sub.group/pro-ject_1.go": 3}}
		besideAPI(p, api)
		if got := p.run(append([]string{"show"}, strings.Fields(c.args)...)...); got.exit != 0 || len(api.asked) != 1 || api.asked[0] != c.want {
			t.Errorf("%s: requested %q, want %s: %+v", c.args, api.asked, c.want, got)
		}
	}
}

func TestReference_WithinARelativeURLRoot(t *testing.T) {
	p := newProgram(t)
	p.env["GITLAB_BASE_URL"] = "https://example.com/gitlab"
	api := &paths{known: map[string]int64{"group/project": 3}}
	besideAPI(p, api)
	if got := p.run("show", "https://example.com/gitlab/group/project/-/issues/7"); got.exit != 0 {
		t.Errorf("%+v", got)
	}
	delete(p.env, "GITLAB_BASE_URL") // then nothing tells the root from a group
	api.known["gitlab/group/project"] = 4
	if got := p.run("show", "https://example.com/gitlab/group/project/-/issues/7"); got.exit != 0 || strings.Join(api.asked, " ") != "GET /v1/projects/3/issues/7 GET /v1/projects/4/issues/7" {
		t.Errorf("%q: %+v", api.asked, got)
	}
}

func TestSync_TakesEntitiesOfOneProject(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.robot("sync", "-p", "1", "--issue", "7", "--wait") // the path is known from here on
		path := fakegitlab.ProjectPath
		for _, args := range [][]string{
			{path + "#7", path + "!12"}, {"-p", path, "--issue", "7", "--mr", "12"}, {"-p", path, "--issue", "7", path + "!12"}, {"1#7", "1!12"},
		} {
			e, got := s.robot(append([]string{"sync", "--dry-run"}, args...)...)
			if got.exit != 0 || !strings.Contains(string(e.Data), `"targets":[{"type":"issue","iid":7`) || !strings.Contains(string(e.Data), `{"type":"merge_request","iid":12`) {
				t.Errorf("%q: exit %d, %s", args, got.exit, got.out)
			}
		}
		if _, got := s.robot("runs", "list", path+"#7"); got.exit != 0 || !strings.Contains(got.out, `"status":"succeeded"`) {
			t.Errorf("runs: exit %d, %s", got.exit, got.out)
		}
		if _, got := s.robot("runs", "list", "-p", path, "--status", "succeeded"); got.exit != 0 || !strings.Contains(got.out, `"status":"succeeded"`) {
			t.Errorf("runs of the project: exit %d, %s", got.exit, got.out)
		}
	})
}

func TestProject_OfAnUnknownPathIsLookedUpInGitLab(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{})
	api := &paths{}
	besideAPI(p, api)
	show := func(project string) printed { return p.run("show", "-p", project, "--issue", "7") }
	if got := show("demo/lorehook-demo"); got.exit != 0 || strings.Join(api.asked, " ") != "GET /v1/projects/1/issues/7" {
		t.Errorf("requested %q: %+v", api.asked, got)
	}
	g.AddProject(1, "demo/renamed")
	if got := show("demo/lorehook-demo"); got.exit != 0 || len(api.asked) != 2 || api.asked[1] != api.asked[0] {
		t.Errorf("after it was renamed, requested %q: %+v", api.asked, got)
	}
	delete(p.env, "GITLAB_TOKEN")
	if e, got := p.robot("show", "-p", "demo/lorehook-demo", "--issue", "7"); got.exit != 45 || e.code() != surgical.CodeProjectUnknown || !strings.Contains(e.Error.Message, "GITLAB_TOKEN") {
		t.Errorf("without a token: exit %d, %s", got.exit, got.out)
	}
}

func TestProject_WithAnAPIThatDoesNotKnowProjects(t *testing.T) {
	p, _ := besideGitLab(t, fakegitlab.Options{})
	besideAPI(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/projects" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"type":"urn:lorehook:error:invalid_request","title":"Not Found","status":404,"detail":"the API has no such path","code":"invalid_request","action":"fix_request","retryable":false}`)
			return
		}
		fmt.Fprint(w, `{}`)
	}))
	if got := p.run("show", "-p", "demo/lorehook-demo", "--issue", "7"); got.exit != 0 {
		t.Errorf("%+v", got)
	}
}

func TestProject_KeepsTheCodeOfGitLabsError(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		exit   int
	}{
		{"an expired token", 401, `{"message":"401 Unauthorized"}`, 20},
		{"no access", 403, `{"message":"403 Forbidden"}`, 21},
		{"no such project", 404, `{"message":"404 Project Not Found"}`, 22},
		{"too many requests", 429, "Retry later\n", 23},
		{"bad gateway", 502, "<html>", 24},
	} {
		t.Run(test.name, func(t *testing.T) {
			gitlab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "9")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer gitlab.Close()
			p := newProgram(t)
			besideAPI(p, &paths{})
			p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
			e, got := p.robot("sync", "-p", "group/project", "--issue", "7")
			if got.exit != test.exit || strings.Contains(got.out, gitlabToken) || (test.status == 429) != (e.Error.RetryAfter == 9) {
				t.Errorf("exit %d: %s", got.exit, got.out)
			}
		})
	}
	p := newProgram(t)
	besideAPI(p, &paths{})
	p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = "http://127.0.0.1:1", gitlabToken
	if _, got := p.robot("sync", "-p", "group/project", "--issue", "7"); got.exit != 24 {
		t.Errorf("without a GitLab: %s", got.out)
	}
}

func TestProjects_ListShowAndHide(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.goldens("projects_empty", 0, "projects")
		s.robot("sync", "-p", "1", "--issue", "7", "--wait", "--idempotency-key", "first")
		at := func(minute int) time.Time { return time.Date(2026, 11, 2, 5, minute, 0, 0, time.UTC) }
		ctx := t.Context()
		for _, err := range []error{
			s.Ledger.CompleteProject(ctx, 1, at(50), at(40), surgical.Target{Type: surgical.Issue, IID: 103}, surgical.Target{Type: surgical.MergeRequest, IID: 3}),
			s.Ledger.CountProject(ctx, 1, surgical.ProjectCounts{Issues: 9, MergeRequests: 3, At: at(51)}),
			s.Ledger.CheckHook(ctx, 1, surgical.HookCheck{State: surgical.HookDisabled, ID: 44, Reason: "it failed 4 times in a row", CheckedAt: at(52), Findings: 2}),
			s.Ledger.CensusProject(ctx, 1, surgical.Censused{
				Cycle: "c", BeganAt: at(10), EndedAt: at(50), Listed: 300, Fetched: 290, Failed: 2, Requests: 1452,
				Found: map[surgical.Finding]int64{surgical.FoundGone: 2, surgical.FoundDeletedNotes: 1, surgical.FoundLabels: 40},
			}),
			s.Ledger.ReconcileProject(ctx, 1, surgical.Reconciled{Cycle: "c", BeganAt: at(53), EndedAt: at(54), Listed: 5, Different: 2, Missed: 1, Requests: 2}),
			s.Ledger.UnseenProject(ctx, 2, at(55)),
			s.Ledger.UnreadableProject(ctx, 1, surgical.Unreadable{Records: 2, At: at(53)}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Ledger.SavePass(ctx, surgical.Pass{
			ProjectID: 1, Kind: surgical.PassReconcile, ID: "1-r", Status: surgical.StatusSucceeded,
			Checkpoints: map[surgical.EntityType]time.Time{surgical.Issue: at(50), surgical.MergeRequest: at(40)},
		}, ledger.PassChange{}); err != nil {
			t.Fatal(err)
		}
		s.goldens("projects", 0, "projects")
		s.goldens("projects_page", 0, "projects", "list", "--limit", "1")
		s.goldens("project", 0, "projects", "show", fakegitlab.ProjectPath)
		s.goldens("project_unseen", 0, "projects", "show", "2")
		s.goldens("project_unknown", 45, "projects", "show", "demo/unknown")
		s.goldens("hide_project", 0, "projects", "hide", "-p", fakegitlab.ProjectPath)
		s.goldens("hide_not_allowed", 10, "projects", "hide", "-p", "3")
		s.goldens("hide_all", 0, "projects", "hide", "--all")
		s.goldens("projects_hidden", 0, "projects")
	})
}
