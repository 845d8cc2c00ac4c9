package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// doctor runs lore doctor and returns the checks by name.
func (p *program) doctor(args ...string) (map[string]checked, printed) {
	p.t.Helper()
	e, got := p.robot(append([]string{"doctor"}, args...)...)
	checks := map[string]checked{}
	var all []checked
	if e.Error != nil {
		all = e.Error.Checks
	} else {
		var data struct{ Checks []checked }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			p.t.Fatal(err)
		}
		all = data.Checks
	}
	failed := 0
	for _, c := range all {
		checks[c.Name] = c
		if c.State == "failure" {
			failed++
		}
		if c.Message == "" || (c.State == "warning" || c.State == "failure") && (c.Next == nil || c.Next.Text == "") {
			p.t.Errorf("%+v says nothing, or not what to do", c)
		}
	}
	if len(all) == 0 || (failed > 0) != (got.exit == 56) || failed == 0 && got.exit != 0 {
		p.t.Errorf("exit %d with %d failures among %d checks", got.exit, failed, len(all))
	}
	return checks, got
}

// states are the states of the checks, as name=state.
func states(checks map[string]checked) []string {
	var all []string
	for name, c := range checks {
		all = append(all, name+"="+c.State)
	}
	slices.Sort(all)
	return all
}

func TestDoctor_FindsWhatIsWrongWithAStack(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		now := s.Clock.Now()
		s.clock = now
		checks, _ := s.doctor()
		for name, want := range map[string]string{
			"address": "ok", "AWS credentials": "ok", "endpoint": "ok", "access": "ok", "stack's GitLab token": "not seen", "projects": "warning",
			"dead letters": "failure", "webhook of 1": "not seen", "webhook's tokens": "ok", "Lambda's quota": "not seen", "your GitLab token": "not seen", "index": "warning",
		} {
			if checks[name].State != want {
				t.Errorf("%s is %+v, want %s", name, checks[name], want)
			}
		}
		if next := checks["webhook of 1"].Next; next == nil || !strings.Contains(next.Text, "after the first pass") {
			t.Errorf("of a project without a path: %+v", next)
		}
		if err := s.Ledger.NameProject(t.Context(), 1, "demo/one", now); err != nil {
			t.Fatal(err)
		}
		checks, _ = s.doctor()
		if next := checks["webhook of 1"].Next; next == nil || !strings.Contains(next.Text, "within a minute") {
			t.Errorf("as lore why says: %+v", next)
		}
		for _, err := range []error{
			s.Ledger.NameProject(t.Context(), 2, "demo/two", now),
			s.Ledger.CompleteProject(t.Context(), 1, now, now), s.Ledger.CompleteProject(t.Context(), 2, now, now),
			s.Ledger.CheckHook(t.Context(), 1, surgical.HookCheck{State: surgical.HookWorking, CheckedAt: now}),
			s.Ledger.CheckHook(t.Context(), 2, surgical.HookCheck{State: surgical.HookDisabled, Reason: "it failed", CheckedAt: now}),
			s.Ledger.SawGitLab(t.Context(), ledger.Sighting{At: now, RateLimit: surgical.RateLimit{Limit: 2000, Remaining: 1990}}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		checks, _ = s.doctor()
		for name, want := range map[string]string{
			"stack's GitLab token": "ok", "GitLab's rate limit": "ok", "projects": "ok", "webhooks": "ok", "webhook of 2": "failure",
		} {
			if checks[name].State != want {
				t.Errorf("%s is %+v, want %s", name, checks[name], want)
			}
		}
		if hook := checks["webhook of 2"]; hook.Next == nil || hook.Next.Command != "lore hooks add -p 2" {
			t.Errorf("%+v", hook)
		}
		if err := s.Ledger.SetPause(t.Context(), now.Add(time.Hour), surgical.CodeInternal); err != nil {
			t.Fatal(err)
		}
		checks, _ = s.doctor()
		if token := checks["stack's GitLab token"]; token.State != "failure" || !strings.Contains(token.Message, "could not be read") {
			t.Errorf("%+v", token)
		}
		s.local(map[string]string{"api_url": s.url, "webhook_url": s.url + "/webhooks/gitlab", "signing_token": "whsec_" + strings.Repeat("A", 43) + "="})
		if checks, _ = s.doctor(); checks["webhook's tokens"].State != "failure" {
			t.Errorf("with another token: %+v", checks["webhook's tokens"])
		}
		s.terminal, s.env["NO_COLOR"] = true, "1"
		got := s.run("doctor")
		if got.exit != 56 || !strings.Contains(got.errors, "checks failed") || !strings.Contains(got.out, "failure   ") {
			t.Errorf("%+v", got)
		}
		for line := range strings.SplitSeq(got.out, "\n") {
			if len(line) > 80 && !strings.Contains(line, "lore ") && !strings.Contains(line, "http") {
				t.Errorf("wider than 80 columns: %s", line)
			}
		}
	})
}

func TestDoctor_SaysHowFarItCame(t *testing.T) {
	const host = "https://abc123.execute-api.eu-west-1.amazonaws.com"
	answers := map[string]func(http.ResponseWriter){}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer api.Close()
	signed := func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-not-a-real-one", "")}, nil
	}
	toAPI := roundTripper(func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(api.URL, "http://")
		return http.DefaultTransport.RoundTrip(r)
	})
	well := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { fmt.Fprint(w, body) }
	}
	for name, test := range map[string]struct {
		args    []string
		aws     func(context.Context) (aws.Config, error)
		answers map[string]func(http.ResponseWriter)
		want    string
	}{
		"no address":             {nil, nil, nil, "address=failure your GitLab token=not seen"},
		"nothing listens":        {[]string{"--api-url", "http://127.0.0.1:1"}, nil, nil, "AWS credentials=ok address=ok endpoint=failure your GitLab token=not seen"},
		"no credentials":         {[]string{"--api-url", host}, nil, nil, "AWS credentials=failure address=ok your GitLab token=not seen"},
		"something else listens": {[]string{"--api-url", host}, signed, nil, "AWS credentials=ok address=ok endpoint=failure your GitLab token=not seen"},
		"refused": {[]string{"--api-url", host}, signed, map[string]func(http.ResponseWriter){
			"/healthz": well(`{"status":"ok","version":"1.0.0"}`), "/v1/status": func(w http.ResponseWriter) {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `{"message":"Forbidden"}`)
			},
		}, "AWS credentials=ok access=failure address=ok endpoint=ok your GitLab token=not seen"},
		"a new account": {[]string{"--api-url", host}, signed, map[string]func(http.ResponseWriter){
			"/healthz": well(`{"status":"ok","version":"1.0.0"}`), "/v1/projects": well(`{"projects":[]}`),
			"/v1/status":                   well(`{"projects":{"total":0},"index":{"status":"ready"},"gitlab":{},"queues":[]}`),
			"/2016-08-19/account-settings": well(`{"AccountLimit":{"ConcurrentExecutions":10}}`),
		}, "AWS credentials=ok GitLab's rate limit=not seen Lambda's quota=warning access=ok address=ok endpoint=ok index=ok projects=warning stack's GitLab token=not seen webhook's tokens=not seen your GitLab token=not seen"},
	} {
		p := newProgram(t)
		p.http = toAPI
		if test.aws != nil {
			p.aws = test.aws
		}
		if slices.Contains(test.args, "http://127.0.0.1:1") {
			p.http = loopbackOnly{}
		}
		clear(answers)
		for path, answer := range test.answers {
			answers[path] = answer
		}
		if checks, got := p.doctor(test.args...); strings.Join(states(checks), " ") != test.want {
			t.Errorf("%s: %q, want\n%q\n%s", name, strings.Join(states(checks), " "), test.want, got.out)
		}
	}
}

func TestDoctor_ChecksTheScopesOfTheTokenHere(t *testing.T) {
	for body, want := range map[string]string{
		`{"active":true,"scopes":["api"]}`:                           "ok",
		`{"active":true,"scopes":["read_api"]}`:                      "warning",
		`{"active":true,"scopes":["api"],"expires_at":"2026-11-05"}`: "warning",
		`{"active":false,"revoked":true,"scopes":["api"]}`:           "failure",
		"401": "failure", "404": "not seen",
	} {
		gitlab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.URL.Path != "/api/v4/personal_access_tokens/self":
				t.Errorf("a request for %s", r.URL.Path)
			case body == "401":
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `{"message":"401 Unauthorized"}`)
			case body == "404":
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, `{"message":"404 Not Found"}`)
			default:
				fmt.Fprint(w, body)
			}
		}))
		p := newProgram(t)
		p.env["GITLAB_BASE_URL"], p.env["GITLAB_TOKEN"] = gitlab.URL, gitlabToken
		if checks, _ := p.doctor(); checks["your GitLab token"].State != want {
			t.Errorf("%s: %+v, want %s", body, checks["your GitLab token"], want)
		}
		gitlab.Close()
	}
}
