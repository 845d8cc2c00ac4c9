package cli_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const gitlabToken = "glpat-not-a-real-token"

// besideGitLab returns a program that uses a demo GitLab.
func besideGitLab(t *testing.T, o fakegitlab.Options) (*program, *fakegitlab.Server) {
	p := newProgram(t)
	o.Token = gitlabToken
	o.Clock = func() time.Time { return p.clock }
	g := fakegitlab.New(o)
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = server.URL, gitlabToken
	return p, g
}

// A self-managed GitLab may have a certificate of a private authority.
func TestHooks_TrustTheAuthorityInTheFile(t *testing.T) {
	gitlab := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }))
	defer gitlab.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gitlab.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t)
	p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
	if _, got := p.robot("hooks", "list", "-p", "1"); got.exit != 24 || !strings.Contains(got.out, "certificate") {
		t.Errorf("without the file: exit %d: %s", got.exit, got.out)
	}
	p.env["LOREHOOK_GITLAB_CA_FILE"] = file
	if _, got := p.robot("hooks", "list", "-p", "1"); got.exit != 0 {
		t.Errorf("with the file: exit %d: %s", got.exit, got.out)
	}
	p.env["LOREHOOK_GITLAB_CA_FILE"] = file + ".none"
	if _, got := p.robot("hooks", "list", "-p", "1"); got.exit == 0 || !strings.Contains(got.out, "LOREHOOK_GITLAB_CA_FILE") {
		t.Errorf("with a missing file: exit %d: %s", got.exit, got.out)
	}
}

func TestHooks_SendTheTokenOverHTTPSOnly(t *testing.T) {
	p := newProgram(t)
	p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = "http://gitlab.example.com", gitlabToken
	if _, got := p.robot("hooks", "list", "-p", "1"); !strings.Contains(got.out, "must be an https URL") {
		t.Errorf("exit %d: %s", got.exit, got.out)
	}
}

func TestHooks_SendTheTokenToNoOtherHost(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host received a request with %v", r.Header)
	}))
	defer other.Close()
	gitlab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.EscapedPath(), http.StatusMovedPermanently)
	}))
	defer gitlab.Close()
	p := newProgram(t)
	p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
	if _, got := p.robot("hooks", "list", "-p", "1"); got.exit != 24 {
		t.Errorf("exit %d: %s", got.exit, got.out)
	}
}

const hookURL = "https://abc123.execute-api.eu-west-1.amazonaws.com/webhooks/gitlab"

func TestHooks_AddOnceAndVerify(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	p.goldens("hooks_none", 0, "hooks", "list", "-p", "1")
	p.goldens("hooks_missing", 53, "hooks", "verify", "-p", "1", "--no-test", "--url", hookURL)
	added := p.run("hooks", "add", "-p", "demo/lorehook-demo", "--api-url", strings.TrimSuffix(hookURL, "/webhooks/gitlab"))
	golden(t, "hooks_added.txt", added.out+added.errors)
	p.goldens("hooks_there", 0, "hooks", "add", "-p", "1", "--url", hookURL)
	p.goldens("hooks_well", 0, "hooks", "verify", "-p", "1", "--no-test", "--url", hookURL)
	p.goldens("hooks_list", 0, "hooks", "list", "-p", "1")
	hooks := g.Hooks(1)
	if len(hooks) != 1 || hooks[0].PushEvents || !hooks[0].SigningTokenPresent {
		t.Fatalf("%+v", hooks)
	}
	until := "2026-11-02T07:00:00.000Z"
	g.EditHook(1, hooks[0].ID, func(h *fakegitlab.Hook) {
		h.AlertStatus, h.DisabledUntil, h.NoteEvents, h.EnableSSLVerification = "temporarily_disabled", &until, false, false
	})
	p.goldens("hooks_unwell", 53, "hooks", "verify", "-p", "1", "--no-test", "--url", hookURL)
	if got := p.run("hooks", "add", "-p", "1", "--url", hookURL); got.exit != 0 || !g.Hooks(1)[0].NoteEvents || !g.Hooks(1)[0].EnableSSLVerification {
		t.Errorf("%+v, %+v", got, g.Hooks(1))
	}
}

func TestHooksAdd_ReportsAGitLabThatDoesNotSign(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{Unsigned: true})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	p.goldens("hooks_unsigned", 53, "hooks", "add", "-p", "1", "--url", hookURL)
	if hooks := g.Hooks(1); len(hooks) != 0 {
		t.Fatalf("the unsigned hook was not removed: %+v", hooks)
	}
	p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = "secret-not-a-real-one"
	e, got := p.robot("hooks", "add", "-p", "1", "--url", hookURL, "--secret-token")
	var data struct {
		Created bool
		Hook    struct {
			Signed bool `json:"signing_token_present"`
			Token  bool `json:"token_present"`
		}
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || !data.Created || data.Hook.Signed || !data.Hook.Token || !strings.Contains(got.errors, "does not sign") {
		t.Errorf("%s, stderr %s", got.out, got.errors)
	}
	if _, got = p.robot("hooks", "verify", "-p", "1", "--no-test", "--url", hookURL); got.exit != 0 {
		t.Errorf("%s", got.out)
	}
}

func TestShow_PrintsNothingThatControlsTheTerminal(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/documents") {
			fmt.Fprint(w, `{"documents":[{"id":"entity","text":"one\n\u001b]0;owned\u0007two\r\u009b2J"}]}`)
			return
		}
		fmt.Fprint(w, `{"project_id":1,"type":"issue","iid":7,"title":"\u001b[2Jtitle\nnext\u202eline","labels":["\u001b[31mred"]}`)
	}))
	defer api.Close()
	p := newProgram(t)
	p.env["LOREHOOK_API_URL"] = api.URL
	for _, args := range []string{"show -p 1 --issue 7", "show -p 1 --issue 7 --documents", "--robot show -p 1 --issue 7", "--robot show -p 1 --issue 7 --documents"} {
		got := p.run(strings.Fields(args)...)
		if got.exit != 0 || plaintext.Text(got.out) != got.out {
			t.Errorf("%s: %q", args, got.out)
		}
	}
}

// What the API, GitLab or a user puts into a run or a failure is harmless too, on
// both outputs.
func TestRun_PrintsNothingThatControlsTheTerminal(t *testing.T) {
	const hostile = "a\u001b]0;owned\u0007\r\u009b2J\u202e\U000e0041\u2028b"
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a run": func(w http.ResponseWriter) {
			fmt.Fprintf(w, `{"run_id":%[1]s,"status":"failed","stage":%[1]s,"origin":%[1]s,"coalesced_with":%[1]s,"targets":[{"type":"issue","iid":7}],
				"entities":[{"type":"issue","iid":7,"status":%[1]s,"error_code":%[1]s,"error_message":%[1]s,"warnings":[%[1]s]}],
				"error":{"code":"docs_failed","message":%[1]s,"action":%[1]s,"failures":[{"type":"issue","iid":7,"code":"docs_failed","message":%[1]s,"action":%[1]s}]}}`, quoted)
		},
		"a failure": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"code":"run_not_found","detail":%[1]s,"title":%[1]s,"action":%[1]s,"run_id":%[1]s}`, quoted)
		},
		"not the API": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway); fmt.Fprint(w, hostile) },
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			defer api.Close()
			p := newProgram(t)
			p.env["LOREHOOK_API_URL"] = api.URL
			for _, args := range [][]string{{"runs", "view", "m1"}, {"--robot", "runs", "view", "m1"}, {"runs", "view", hostile}, {"sync", "-p", hostile, "--issue", "7"}} {
				got := p.run(args...)
				if out := got.out + got.errors; out == "" || plaintext.Text(out) != out {
					t.Errorf("%q: %q", args, out)
				}
			}
		})
	}
}

func TestWait_SurvivesTemporaryErrors(t *testing.T) {
	for name, test := range map[string]struct {
		troubles, exit int
		code           surgical.Code
	}{"that ends": {4, 0, "ok"}, "that stays": {1000, 50, "api_unavailable"}} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if calls++; calls <= test.troubles {
					w.WriteHeader(http.StatusBadGateway)
					return
				}
				fmt.Fprint(w, `{"run_id":"m1","status":"succeeded"}`)
			}))
			defer api.Close()
			p := newProgram(t)
			p.env["LOREHOOK_API_URL"] = api.URL
			e, got := p.robot("runs", "watch", "m1")
			if got.exit != test.exit || e.code() != test.code || calls > 10 {
				t.Errorf("exit %d after %d calls: %s", got.exit, calls, got.out)
			}
		})
	}
}

func TestHooksList_ReadsEveryPageWhateverTheHeadersSay(t *testing.T) {
	hooks := func(from, to int) string {
		var all []string
		for id := from; id <= to; id++ {
			all = append(all, fmt.Sprintf(`{"id":%d,"url":"https://example.com/%d"}`, id, id))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for name, test := range map[string]struct {
		header http.Header
		page   func(page string) string
		want   int // -1 for gitlab_unavailable
	}{
		"no headers": {http.Header{}, func(page string) string {
			return map[string]string{"1": hooks(1, 100), "2": hooks(101, 130), "3": "[]"}[page]
		}, 130},
		"a server that caps the page": {http.Header{}, func(page string) string {
			return map[string]string{"1": hooks(1, 20), "2": hooks(21, 23), "3": "[]"}[page]
		}, 23},
		"a total": {http.Header{"X-Total": {"3"}}, func(page string) string {
			return map[string]string{"1": hooks(1, 3)}[page]
		}, 3},
		"a Link header with a parameter without a value": {http.Header{"X-Total": {"3"}, "Link": {`<https://assets.example.com>; crossorigin; rel="preconnect"`}},
			func(string) string { return hooks(1, 3) }, 3},
		"a server that ignores the page": {http.Header{}, func(string) string { return hooks(1, 3) }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			gitlab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for name, values := range test.header {
					w.Header()[name] = values
				}
				fmt.Fprint(w, test.page(r.URL.Query().Get("page")))
			}))
			defer gitlab.Close()
			p := newProgram(t)
			p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
			e, got := p.robot("hooks", "list", "-p", "1")
			if test.want < 0 {
				if e.Error == nil || e.Error.Code != surgical.CodeGitLabUnavailable {
					t.Errorf("%s", got.out)
				}
				return
			}
			if n := strings.Count(got.out, `"alert_status"`) + strings.Count(got.out, `"findings"`); got.exit != 0 || n != test.want {
				t.Errorf("exit %d, %d hooks, want %d: %.300s", got.exit, n, test.want, got.out)
			}
		})
	}
}

func TestHooks_SayWhyGitLabRefusesTheToken(t *testing.T) {
	for body, want := range map[string]struct {
		code surgical.Code
		says string
	}{
		`{"error":"insufficient_scope","scope":"api"}`:                                         {surgical.CodeGitLabUnauthorized, "it lacks the api scope"},
		`{"message":"403 Forbidden - You (@a) must accept the Terms of Service in order to."}`: {surgical.CodeGitLabUnauthorized, "Terms of Service"},
		`{"message":"403 Forbidden"}`:                                                          {surgical.CodeGitLabForbidden, "Maintainer role"},
		`{"message":"Forbidden"}`:                                                              {surgical.CodeGitLabUnavailable, "JSON that is not GitLab's"},
	} {
		gitlab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, body)
		}))
		p := newProgram(t)
		p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
		if e, got := p.robot("hooks", "list", "-p", "1"); e.Error == nil || e.Error.Code != want.code || !strings.Contains(e.Error.Message, want.says) {
			t.Errorf("%s: %s", body, got.out)
		}
		gitlab.Close()
	}
}

func TestHooks_SayWhyGitLabIsNotReached(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for base, says := range map[string]string{
		closed.URL: "was refused",
		strings.Replace(closed.URL, "http:", "https:", 1): "was refused",
	} {
		p := newProgram(t)
		p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = base, gitlabToken
		e, got := p.robot("hooks", "list", "-p", "1")
		if e.Error == nil || e.Error.Code != surgical.CodeGitLabUnavailable || !strings.Contains(e.Error.Message, says) || strings.Contains(e.Error.Message, "/api/v4") {
			t.Errorf("%s: %s", base, got.out)
		}
	}
}

func TestHooks_RefuseATokenThatCannotBeOne(t *testing.T) {
	for _, text := range []string{"unset", `"glpat-not-a-real-token"`, "Bearer glpat-not-a-real-token", "glpat-fake-a,glpat-fake-b", "whsec_ZmFrZQ==", "x"} {
		p := newProgram(t)
		p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = "https://gitlab.example.com", text
		e, got := p.robot("hooks", "list", "-p", "1")
		if e.Error == nil || e.Error.Code != surgical.CodeGitLabUnauthorized || !strings.HasPrefix(e.Error.Message, "GITLAB_TOKEN") || strings.Contains(got.out, "glpat") {
			t.Errorf("%s: %s", text, got.out)
		}
	}
}

func TestProject_DoesNotTakeAProxysPageForGitLab(t *testing.T) {
	for _, status := range []int{401, 403, 404} {
		gitlab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprint(w, "<html>")
		}))
		p := newProgram(t)
		p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
		e, got := p.robot("hooks", "list", "-p", "1")
		if e.Error == nil || e.Error.Code != surgical.CodeGitLabUnavailable || !strings.Contains(got.out, "text/html") {
			t.Errorf("%d: %s", status, got.out)
		}
		gitlab.Close()
	}
}
