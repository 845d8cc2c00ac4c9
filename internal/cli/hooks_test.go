package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const secretToken = "secret-not-a-real-one"

// killed is a transport of a program that dies at a call: before it is sent, or before
// its response arrives. Calls that are not GitLab's or AWS's own do not count.
type killed struct {
	calls, at int
	sent      bool
	after     func()
}

var errKilled = errors.New("the program was killed")

func (k *killed) RoundTrip(r *http.Request) (*http.Response, error) {
	k.calls++
	if k.at > 0 && (k.calls > k.at || k.calls == k.at && !k.sent) {
		return nil, errKilled
	}
	resp, err := loopbackOnly{}.RoundTrip(r)
	if k.after != nil {
		k.after()
	}
	if k.at > 0 && k.calls == k.at {
		if err == nil {
			resp.Body.Close()
		}
		return nil, errKilled
	}
	return resp, err
}

// accepted reports whether Lorehook would accept the deliveries of the hook.
func accepted(g *fakegitlab.Server, h fakegitlab.Hook) bool {
	tokens := g.HookTokens(1)[h.ID]
	return h.IssuesEvents && h.NoteEvents && (tokens[0] == signingToken || tokens[0] == "" && tokens[1] == secretToken)
}

func accepting(g *fakegitlab.Server) int {
	n := 0
	for _, h := range g.Hooks(1) {
		if h.URL == hookURL && accepted(g, h) {
			n++
		}
	}
	return n
}

// A program that is killed between any two of its calls, before or after the second is
// carried out, leaves at most one hook more than it found, none that is refused where
// one was accepted, and exactly one accepted one once it is run again.
func TestHooksAdd_LeavesExactlyOneWorkingHookWhereverItIsKilled(t *testing.T) {
	for name, c := range map[string]struct {
		unsigned bool
		before   func(*fakegitlab.Server, *program)
	}{
		"a new hook": {false, func(*fakegitlab.Server, *program) {}},
		"a new hook in a GitLab without signatures": {true, func(*fakegitlab.Server, *program) {}},
		"a working one": {false, func(_ *fakegitlab.Server, p *program) { p.run("hooks", "add", "-p", "1", "--url", hookURL) }},
		"one with a secret token only": {false, func(g *fakegitlab.Server, _ *program) {
			addHook(t, g, fmt.Sprintf(`{"url":%q,"issues_events":true,"note_events":true,"token":%q}`, hookURL, secretToken))
		}},
		"three of them": {false, func(g *fakegitlab.Server, _ *program) {
			for range 3 {
				addHook(t, g, fmt.Sprintf(`{"url":%q,"issues_events":true,"note_events":true,"token":%q}`, hookURL, secretToken))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				calls := 0
				for _, sent := range []bool{false, true} {
					p, g := besideGitLab(t, fakegitlab.Options{Unsigned: c.unsigned})
					p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"], p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = signingToken, secretToken
					c.before(g, p)
					addHook(t, g, `{"url":"https://other.example.com/"}`)
					hooks, working := len(g.Hooks(1)), accepting(g)
					k := &killed{at: at, sent: sent}
					if working > 0 {
						k.after = func() {
							if accepting(g) == 0 {
								t.Errorf("killed at %d: no hook is accepted after call %d", at, k.calls)
							}
						}
					}
					p.http = k
					p.run("hooks", "add", "-p", "1", "--url", hookURL)
					calls = k.calls
					if n := len(g.Hooks(1)); n > max(hooks, 2) {
						t.Errorf("killed at %d (sent %t): %d hooks, %d before", at, sent, n, hooks)
					}
					p.http = loopbackOnly{}
					if got := p.run("hooks", "add", "-p", "1", "--url", hookURL); got.exit != 0 {
						t.Fatalf("killed at %d (sent %t), then: %+v", at, sent, got)
					}
					if n := len(g.Hooks(1)); n != 2 || accepting(g) != 1 {
						t.Errorf("killed at %d (sent %t), then run again: %d hooks, %d accepted", at, sent, n, accepting(g))
					}
				}
				if calls < at {
					if at < 3 {
						t.Errorf("only %d calls", calls)
					}
					return
				}
			}
		})
	}
}

func addHook(t *testing.T, g *fakegitlab.Server, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v4/projects/1/hooks", strings.NewReader(body))
	r.Header.Set("PRIVATE-TOKEN", gitlabToken)
	w := httptest.NewRecorder()
	if g.ServeHTTP(w, r); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

// Two programs that add the hook at the same time keep the same one.
func TestHooksAdd_KeepsOneHookOfTwoPrograms(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	// The other one adds its hook after this one has seen that there is none.
	k := &killed{}
	k.after = func() {
		if k.calls == 1 {
			addHook(t, g, fmt.Sprintf(`{"url":%q,"issues_events":true,"note_events":true,"signing_token":%q}`, hookURL, signingToken))
		}
	}
	p.http = k
	if got := p.run("hooks", "add", "-p", "1", "--url", hookURL); got.exit != 0 || len(g.Hooks(1)) != 1 || accepting(g) != 1 {
		t.Errorf("%+v, %+v", got, g.Hooks(1))
	}
}

func TestHooksAdd_PrefersTheSigningToken(t *testing.T) {
	for name, c := range map[string]struct {
		unsigned bool
		args     []string
		want     [2]string
	}{
		"a GitLab that signs":         {false, nil, [2]string{signingToken, ""}},
		"and both are wanted":         {false, []string{"--secret-token"}, [2]string{signingToken, secretToken}},
		"a GitLab that does not sign": {true, nil, [2]string{"", secretToken}},
	} {
		p, g := besideGitLab(t, fakegitlab.Options{Unsigned: c.unsigned})
		p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"], p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = signingToken, secretToken
		for range 2 {
			if got := p.run(append([]string{"hooks", "add", "-p", "1", "--url", hookURL}, c.args...)...); got.exit != 0 {
				t.Fatalf("%s: %+v", name, got)
			}
		}
		if tokens := g.HookTokens(1); len(tokens) != 1 || tokens[g.Hooks(1)[0].ID] != c.want {
			t.Errorf("%s: %v, want %v", name, tokens, c.want)
		}
	}
}

func TestHooks_WorkForGroups(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	for range 2 {
		if got := p.run("hooks", "add", "-g", "demo", "--url", hookURL); got.exit != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if hooks := g.GroupHooks("demo"); len(hooks) != 1 || !hooks[0].SigningTokenPresent || !hooks[0].ConfidentialNoteEvents {
		t.Errorf("%+v", hooks)
	}
	if got := p.run("hooks", "verify", "-g", "demo", "--no-test", "--url", hookURL); got.exit != 0 {
		t.Errorf("%+v", got)
	}
	if _, got := p.robot("hooks", "list", "-g", "none"); got.exit != 22 {
		t.Errorf("an unknown group: %+v", got)
	}
	if _, got := p.robot("hooks", "list", "-g", "demo", "-p", "1"); got.exit != 2 && !strings.Contains(got.out, "can't be used together") {
		t.Errorf("both: %+v", got)
	}
	if _, got := p.robot("hooks", "list"); !strings.Contains(got.out, "invalid_request") {
		t.Errorf("neither: %+v", got)
	}
	if got := p.run("hooks", "remove", "-g", "demo", "--yes", "--url", hookURL); got.exit != 0 || len(g.GroupHooks("demo")) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestHooks_DryRunChangesNothing(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	p.goldens("hooks_plan_add", 0, "hooks", "add", "-p", "1", "--dry-run", "--url", hookURL)
	for range 2 {
		addHook(t, g, fmt.Sprintf(`{"url":%q}`, hookURL))
	}
	p.goldens("hooks_plan_update", 0, "hooks", "add", "-p", "1", "--dry-run", "--url", hookURL)
	p.goldens("hooks_plan_remove", 0, "hooks", "remove", "-p", "1", "--dry-run", "--url", hookURL)
	p.stackKnows(`{"project_id":1,"path":"demo/lorehook-demo"}`)
	p.goldens("hooks_plan_rotate", 0, "hooks", "rotate", "-p", "1", "--dry-run", "--url", hookURL)
	if len(g.Hooks(1)) != 2 || g.Hooks(1)[0].IssuesEvents {
		t.Errorf("%+v", g.Hooks(1))
	}
}

func TestHooksRemove_AsksOnATerminal(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		typed    string
		args     []string
		left     int
	}{
		"yes": {true, "yes\n", nil, 0}, "no": {true, "n\n", nil, 1}, "nothing": {true, "\n", nil, 1}, "the end": {true, "", nil, 1},
		"a script": {false, "y\n", nil, 1}, "a script that is sure": {false, "", []string{"--yes"}, 0},
	} {
		p, g := besideGitLab(t, fakegitlab.Options{})
		addHook(t, g, fmt.Sprintf(`{"url":%q}`, hookURL))
		addHook(t, g, `{"url":"https://other.example.com/"}`)
		p.terminal, p.stdin = c.terminal, c.typed
		got := p.run(append([]string{"hooks", "remove", "-p", "1", "--url", hookURL}, c.args...)...)
		if len(g.Hooks(1)) != c.left+1 || (got.exit == 0) != (c.left == 0) {
			t.Errorf("%s: exit %d, %d hooks left: %s%s", name, got.exit, len(g.Hooks(1)), got.out, got.errors)
		}
	}
	p, _ := besideGitLab(t, fakegitlab.Options{})
	if got := p.run("hooks", "remove", "-p", "1", "--url", hookURL); got.exit != 0 || !strings.Contains(got.out, "has no hook") {
		t.Errorf("without a hook: %+v", got)
	}
}

// answers is a receiver of deliveries that says what Lorehook says.
type answers func() (status int, body string)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := a()
	if status == 0 {
		return nil, errors.New("no connection")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Date": {"Mon, 02 Nov 2026 06:00:00 GMT"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestHooksVerify_FollowsGitLabsTestEvent(t *testing.T) {
	const queued = `{"status":"queued","run_id":"w1"}`
	for name, c := range map[string]struct {
		o      fakegitlab.Options
		status int
		body   string
		run    string
		exit   int
		says   string
	}{
		"stored":                   {fakegitlab.Options{}, 202, queued, `{"run_id":"w1","status":"succeeded"}`, 0, "stored by run w1"},
		"the run fails":            {fakegitlab.Options{}, 202, queued, `{"run_id":"w1","status":"failed","error":{"code":"gitlab_forbidden","message":"project 1 issue#9: GitLab denied access (403)"}}`, 53, "denied access"},
		"another project":          {fakegitlab.Options{}, 200, `{"status":"ignored","reason":"project_not_allowed"}`, ``, 53, "project_not_allowed"},
		"somebody else's receiver": {fakegitlab.Options{}, 200, `hello`, ``, 53, "not to Lorehook"},
		"refused":                  {fakegitlab.Options{}, 401, `{}`, ``, 53, "401}; if its token was stored in the last minute, wait for a minute"},
		"out of reach":             {fakegitlab.Options{}, 0, ``, ``, 53, "internal error"},
		"a GitLab without a log":   {fakegitlab.Options{NoDeliveryLog: true}, 202, queued, ``, 0, "no log of deliveries"},
		"an empty project":         {fakegitlab.Options{Empty: true}, 202, queued, ``, 0, "no issue and no merge request"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.HookClient = answers(func() (int, string) { return c.status, c.body })
			p, g := besideGitLab(t, c.o)
			g.AddProject(1, "demo/lorehook-demo")
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.run) }))
			defer api.Close()
			p.env["LOREHOOK_API_URL"], p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = api.URL, signingToken
			p.run("hooks", "add", "-p", "1", "--url", hookURL)
			got := p.run("hooks", "verify", "-p", "1", "--url", hookURL)
			if got.exit != c.exit || !strings.Contains(got.out+got.errors, c.says) {
				t.Errorf("exit %d, want %d: %s%s", got.exit, c.exit, got.out, got.errors)
			}
		})
	}
}

// GitLab writes its log in the background, and delivers other events in the meantime.
func TestHooksVerify_BelievesNoDeliveryOfBeforeItsTest(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration
		exit  int
		says  string
	}{
		"logged late":         {5 * time.Second, 53, "not to Lorehook"},
		"not logged in time":  {time.Hour, 53, "its log does not show that after 30 s"},
		"logged while asking": {0, 53, "not to Lorehook"},
	} {
		t.Run(name, func(t *testing.T) {
			p, g := besideGitLab(t, fakegitlab.Options{LogDelay: c.delay, HookClient: answers(func() (int, string) { return 201, "hello" })})
			p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
			p.run("hooks", "add", "-p", "1", "--url", hookURL)
			g.AddHookEvents(1, g.Hooks(1)[0].ID, fakegitlab.HookEvent{Trigger: "issue_hooks", RequestData: json.RawMessage(`{}`), ResponseStatus: "202", ResponseBody: `{"status":"queued","run_id":"w1"}`})
			p.clock = p.clock.Add(2 * time.Hour)
			got := p.run("hooks", "verify", "-p", "1", "--url", hookURL)
			if got.exit != c.exit || !strings.Contains(got.out+got.errors, c.says) {
				t.Errorf("exit %d, want %d: %s%s", got.exit, c.exit, got.out, got.errors)
			}
		})
	}
}

func TestHooksVerify_SaysThatGitLabLimitsTests(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{HookClient: answers(func() (int, string) { return 200, `{"reason":"epic"}` })})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	p.run("hooks", "add", "-p", "1", "--url", hookURL)
	exits := []int{}
	for range 6 {
		exits = append(exits, p.run("hooks", "verify", "-p", "1", "--url", hookURL).exit)
	}
	if !slices.Equal(exits, []int{53, 53, 53, 53, 53, 23}) {
		t.Errorf("exits %v, hooks %+v", exits, g.Hooks(1))
	}
}

func TestHooksVerify_NoticesEventsThatAreNotSent(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{HookClient: answers(func() (int, string) { return 202, `{"run_id":"w1"}` })})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"run_id":"w1","status":"succeeded"}`) }))
	defer api.Close()
	p.env["LOREHOOK_API_URL"], p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = api.URL, signingToken
	p.run("hooks", "add", "-p", "1", "--url", hookURL)
	verify := func() printed { return p.run("hooks", "verify", "-p", "1", "--url", hookURL) }
	if got := verify(); got.exit != 0 {
		t.Errorf("just made: %+v", got)
	}
	p.clock = p.clock.Add(time.Hour)
	g.Edit(fakegitlab.IssueRef(7), func(c *fakegitlab.Common) { c.Title = "Changed" })
	if got := verify(); got.exit != 0 {
		t.Errorf("just changed: %+v", got)
	}
	p.clock = p.clock.Add(time.Hour)
	g.Edit(fakegitlab.IssueRef(7), func(c *fakegitlab.Common) { c.Title = "Changed again" })
	p.clock = p.clock.Add(2 * surgical.SilentAfter)
	if got := verify(); got.exit != 53 || !strings.Contains(got.errors, "has sent nothing since 2026-11-02T07:00:00Z, although something changed at 2026-11-02T08:00:00Z") {
		t.Errorf("silent: %+v", got)
	}
	g.Send(context.Background(), fakegitlab.IssueRef(7), false)
	if got := verify(); got.exit != 0 {
		t.Errorf("sent: %+v", got)
	}
}

// vault is a Secrets Manager with the webhook's tokens, and what functions that read it
// at most a minute ago accept.
type vault struct {
	versions []string
	at       []time.Time
	clock    func() time.Time
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var in struct{ SecretString string }
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &in)
	switch r.Header.Get("X-Amz-Target") {
	case "secretsmanager.GetSecretValue":
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": v.versions[len(v.versions)-1]})
	case "secretsmanager.PutSecretValue":
		v.versions, v.at = append(v.versions, in.SecretString), append(v.at, v.clock())
		fmt.Fprint(w, `{}`)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// everyReader reports whether all functions accept the token, whichever version of the
// secret they have.
func (v *vault) everyReader(token string) bool {
	for i, text := range v.versions {
		superseded := i+1 < len(v.at) && v.clock().Sub(v.at[i+1]) > surgical.SecretMaxAge
		if !superseded && !strings.Contains(text, token) {
			return false
		}
	}
	return token != ""
}

// In every state in which a rotation can be killed, and in all states on the way, every
// function accepts the token of the hook.
func TestHooksRotate_RefusesNoDeliveryWhereverItIsKilled(t *testing.T) {
	for name, c := range map[string]struct {
		unsigned bool
		secret   string
		which    int
	}{
		"signing tokens":       {false, `{"signing_tokens":["` + signingToken + `"],"secret_tokens":["` + secretToken + `"],"note":"kept"}`, 0},
		"one text, not a list": {false, `{"signing_tokens":"` + signingToken + `"}`, 0},
		"secret tokens":        {true, `{"signing_tokens":[],"secret_tokens":["` + secretToken + `"]}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				k := &killed{at: at, sent: true}
				p, g := besideGitLab(t, fakegitlab.Options{Unsigned: c.unsigned})
				v := &vault{versions: []string{c.secret}, at: []time.Time{p.clock.Add(-time.Hour)}, clock: func() time.Time { return p.clock }}
				server := httptest.NewServer(v)
				defer server.Close()
				p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"], p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = signingToken, secretToken
				p.run("hooks", "add", "-p", "1", "--url", hookURL)
				old := g.HookTokens(1)[g.Hooks(1)[0].ID][c.which]
				p.aws = func(context.Context) (aws.Config, error) {
					return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: k},
						Credentials: credentials.NewStaticCredentialsProvider("AKIDSAMPLE", "sample", "")}, nil
				}
				check := func(when string) {
					t.Helper()
					if token := g.HookTokens(1)[g.Hooks(1)[0].ID][c.which]; !v.everyReader(token) {
						t.Errorf("killed at %d: a function refuses the hook's deliveries %s", at, when)
					}
				}
				k.after = func() { check(fmt.Sprint("after call ", k.calls)) }
				p.http = k
				p.paused = func(context.Context) { check("while it waits") }
				rotate := []string{"hooks", "rotate", "-p", "1", "--url", hookURL, "--secret", "LorehookWebhookSecret"}
				p.stackKnows(`{"project_id":1,"path":"demo/lorehook-demo"}`)
				p.run(rotate...)
				calls := k.calls
				k.at = 0
				check("when it is run again")
				if got := p.run(rotate...); got.exit != 0 {
					t.Fatalf("killed at %d, then: %+v", at, got)
				}
				p.clock = p.clock.Add(2 * surgical.SecretMaxAge)
				check("in the end")
				now := v.versions[len(v.versions)-1]
				if token := g.HookTokens(1)[g.Hooks(1)[0].ID][c.which]; strings.Contains(now, old) || token == old || strings.Count(now, "whsec_")+c.which > 1 {
					t.Errorf("killed at %d: in the end the secret is %s", at, now)
				}
				if strings.Contains(c.secret, "note") && !strings.Contains(now, `"note":"kept"`) {
					t.Errorf("a member of the secret was lost: %s", now)
				}
				if calls < at {
					return
				}
			}
		})
	}
}

// stackKnows lets the stack's API list these projects.
func (p *program) stackKnows(projects ...string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"projects":[%s]}`, strings.Join(projects, ","))
	}))
	p.t.Cleanup(server.Close)
	p.env["LOREHOOK_API_URL"] = server.URL
}

// keeps the tokens of a rotation's secret.
func (p *program) keeps(secret string) *vault {
	v := &vault{versions: []string{secret}, at: []time.Time{p.clock}, clock: func() time.Time { return p.clock }}
	server := httptest.NewServer(v)
	p.t.Cleanup(server.Close)
	p.aws = func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDSAMPLE", "sample", "")}, nil
	}
	return v
}

// A hook that the rotation does not switch goes on to be accepted: of another project,
// of a group above, or one that cannot be looked up.
func TestHooksRotate_KeepsTheOldTokenWhileOtherHooksMayUseIt(t *testing.T) {
	const known = `{"project_id":1,"path":"demo/lorehook-demo"}`
	for name, c := range map[string]struct {
		projects []string
		group    bool
		flags    []string
		removed  bool
		want     string
	}{
		"no other hook":                  {[]string{known}, false, nil, true, "1 old token removed"},
		"a hook of the group":            {[]string{known}, true, nil, false, "lore hooks rotate -p 1 -g demo"},
		"named too":                      {[]string{known}, true, []string{"-g", "demo"}, true, "2 hooks have the new token, 1 old token removed"},
		"a project that cannot be read":  {[]string{known, `{"project_id":4711,"path":"other/project"}`}, false, nil, false, "not checked: hooks of project 4711: not found"},
		"a stack that does not answer":   {nil, false, nil, false, "not checked: the stack's projects"},
		"removed all the same":           {[]string{known}, true, []string{"--drop-old"}, true, "may use an old token: hook"},
		"kept although nothing needs it": {[]string{known}, false, []string{"--keep-old"}, false, "0 old tokens removed"},
	} {
		t.Run(name, func(t *testing.T) {
			p, g := besideGitLab(t, fakegitlab.Options{})
			v := p.keeps(`{"signing_tokens":["` + signingToken + `"]}`)
			p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
			p.run("hooks", "add", "-p", "1", "--url", hookURL)
			if c.group {
				p.run("hooks", "add", "-g", "demo", "--url", "https://hooks.example.com/webhooks/gitlab")
			}
			if c.projects != nil {
				p.stackKnows(c.projects...)
			}
			if c.removed && c.group && c.flags[0] == "-g" {
				p.run("hooks", "remove", "-g", "demo", "--yes", "--url", "https://hooks.example.com/webhooks/gitlab")
				p.run("hooks", "add", "-g", "demo", "--url", hookURL)
			}
			got := p.run(append([]string{"hooks", "rotate", "-p", "1", "--url", hookURL, "--secret", "LorehookWebhookSecret"}, c.flags...)...)
			secret := v.versions[len(v.versions)-1]
			if got.exit != 0 || !strings.Contains(got.out, c.want) || strings.Contains(secret, signingToken) == c.removed {
				t.Errorf("%+v\nthe secret is %s", got, secret)
			}
			if token := g.HookTokens(1)[g.Hooks(1)[0].ID][0]; token == signingToken || !strings.Contains(secret, token) {
				t.Errorf("the hook has %s, the secret is %s", token, secret)
			}
		})
	}
}

func TestHooksRotate_SaysWhatToDoWithoutASecret(t *testing.T) {
	p, _ := besideGitLab(t, fakegitlab.Options{})
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	if _, got := p.robot("hooks", "rotate", "--url", hookURL); !strings.Contains(got.out, "at least one project") {
		t.Errorf("without a project: %+v", got)
	}
	if _, got := p.robot("hooks", "rotate", "-p", "1", "--url", hookURL); got.exit != 53 {
		t.Errorf("without a hook: %+v", got)
	}
	p.run("hooks", "add", "-p", "1", "--url", hookURL)
	got := p.run("hooks", "rotate", "-p", "1", "--url", hookURL)
	if got.exit == 0 || !strings.Contains(got.out, "1. make a new token") || !strings.Contains(got.errors, "--secret") {
		t.Errorf("%+v", got)
	}
}

func TestHooksRotate_LeavesASecretThatItDoesNotUnderstand(t *testing.T) {
	p, g := besideGitLab(t, fakegitlab.Options{})
	v := p.keeps("whsec_plain")
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	p.run("hooks", "add", "-p", "1", "--url", hookURL)
	got := p.run("hooks", "rotate", "-p", "1", "--url", hookURL, "--secret", "LorehookWebhookSecret")
	if got.exit == 0 || len(v.versions) != 1 || g.HookTokens(1)[g.Hooks(1)[0].ID][0] != signingToken || strings.Contains(got.out+got.errors, "whsec_") {
		t.Errorf("%+v, %v", got, v.versions)
	}
}

// The user's own region may be another one, and the webhook's address may name none.
func TestHooksRotate_ReadsTheSecretInItsRegion(t *testing.T) {
	const name = "LorehookWebhookSecret"
	for _, c := range []struct{ url, secret, own, want string }{
		{hookURL, name, "us-east-1", "eu-west-1"},
		{hookURL, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:" + name + "-AbCdEf", "us-east-1", "eu-central-1"},
		{"https://hooks.example.com/webhooks/gitlab", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:" + name + "-AbCdEf", "", "eu-central-1"},
		{"https://hooks.example.com/webhooks/gitlab", name, "us-east-1", "us-east-1"},
	} {
		p, _ := besideGitLab(t, fakegitlab.Options{})
		p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
		p.run("hooks", "add", "-p", "1", "--url", c.url)
		var scope string
		p.aws = func(context.Context) (aws.Config, error) {
			return aws.Config{Region: c.own, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("AKIDSAMPLE", "sample", ""),
				HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					scope = r.Header.Get("Authorization")
					return nil, errors.New("not asked in this test")
				})}}, nil
		}
		got := p.run("hooks", "rotate", "-p", "1", "--url", c.url, "--secret", c.secret)
		if !strings.Contains(scope, "/"+c.want+"/secretsmanager/") {
			t.Errorf("the secret %s of %s is read with %q: %+v", c.secret, c.url, scope, got)
		}
	}
}
