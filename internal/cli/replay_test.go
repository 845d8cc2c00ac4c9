package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// receiver is a webhook that records the last request.
type receiver struct {
	*httptest.Server
	header http.Header
	body   string
}

func newReceiver(t *testing.T, status int, answer string) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.header, r.body = req.Header, string(raw)
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func TestReplay_QueuesTheEventAndWaitsForItsRun(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.goldens("replay", 0, "replay", "issue_opened", "--idempotency-key", "replayed")
		s.goldens("replay_ignored", 0, "replay", "push", "--idempotency-key", "ignored")
		e, got := s.robot("replay", "merge_request_updated", "--wait")
		if got.exit != 0 || e.field(t, "status") != "succeeded" || e.field(t, "origin") != "webhook" {
			t.Errorf("exit %d: %s", got.exit, got.out)
		}
	})
}

func TestReplay_SignsAsGitLabDoes(t *testing.T) {
	r := newReceiver(t, http.StatusAccepted, `{"status":"queued","run_id":"w1","project_id":1,"targets":[{"type":"issue","iid":7}]}`)
	p := newProgram(t)
	p.local(map[string]string{"webhook_url": r.URL + "/webhooks/gitlab", "signing_token": signingToken})
	verifier, err := delivery.NewVerifier([]string{signingToken}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for range 2 {
		if got := p.run("replay", "note_issue"); got.exit != 0 {
			t.Fatalf("%+v", got)
		}
		if err := verifier.Verify(r.header, []byte(r.body), p.clock); err != nil {
			t.Error(err)
		}
		if err := verifier.Verify(r.header, []byte(r.body+" "), p.clock); err == nil {
			t.Error("another body verifies too")
		}
		keys = append(keys, r.header.Get("Idempotency-Key"))
	}
	if keys[0] == keys[1] || keys[0] == "" {
		t.Errorf("keys %q", keys)
	}
	p.run("replay", "note_issue", "--idempotency-key", "again")
	if r.header.Get("Idempotency-Key") != "again" || r.header.Get("Webhook-Id") != "again" {
		t.Errorf("%v", r.header)
	}
}

func TestReplay_TakesTheEventFromTheFlagTheIndexOrThePayload(t *testing.T) {
	sample, err := events.Named("issue_confidential")
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, http.StatusOK, `{"status":"ignored","reason":"test"}`)
	p := newProgram(t)
	p.local(map[string]string{"webhook_url": r.URL, "signing_token": signingToken})
	write := func(name, text string) {
		file := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mine/index.json", `[{"name":"a","event":"Odd Hook"}]`)
	write("mine/a.json", `{"object_kind":"note"}`)
	write("own.json", `{"object_kind":"note"}`)
	write("secret.json", `{"object_kind":"note","event_type":"confidential_note"}`)
	write("no.json", `not JSON`)
	for _, test := range []struct{ args, event, body string }{
		{"issue_confidential", "Confidential Issue Hook", string(sample.Body)},
		{"events/issue_confidential.json", "Confidential Issue Hook", string(sample.Body)},
		{"issue_confidential --event X", "X", string(sample.Body)},
		{"mine/a.json", "Odd Hook", `{"object_kind":"note"}`},
		{filepath.Join(p.dir, "mine/a.json"), "Odd Hook", `{"object_kind":"note"}`},
		{"own.json", "Note Hook", `{"object_kind":"note"}`},
		{"secret.json", "Confidential Note Hook", `{"object_kind":"note","event_type":"confidential_note"}`},
		{"no.json", "System Hook", `not JSON`},
	} {
		if got := p.run(append([]string{"replay"}, strings.Fields(test.args)...)...); got.exit != 0 {
			t.Fatalf("%s: %+v", test.args, got)
		}
		if r.header.Get("X-Gitlab-Event") != test.event || r.body != test.body {
			t.Errorf("%s: %q with %.60q", test.args, r.header.Get("X-Gitlab-Event"), r.body)
		}
	}
}

func TestReplay_SendsTheLocalStacksTokenOnlyToTheLocalStack(t *testing.T) {
	r := newReceiver(t, http.StatusOK, `{"status":"ignored"}`)
	p := newProgram(t)
	p.local(map[string]string{"webhook_url": "http://127.0.0.1:1/webhooks/gitlab", "signing_token": signingToken})
	if e, got := p.robot("replay", "push", "--url", r.URL); got.exit != 11 || r.header != nil {
		t.Errorf("without a token: %s", e.code())
	}
	p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = `["", "first-not-real", "second"]`
	if got := p.run("replay", "push", "--url", r.URL); got.exit != 0 || r.header.Get("X-Gitlab-Token") != "first-not-real" || r.header.Get("Webhook-Signature") != "" {
		t.Errorf("%+v, %v", got, r.header)
	}
	p.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = signingToken
	if got := p.run("replay", "push", "--api-url", r.URL); got.exit != 0 || r.header.Get("Webhook-Signature") == "" || r.header.Get("X-Gitlab-Token") != "" {
		t.Errorf("%+v, %v", got, r.header)
	}
}

func TestReplay_KeepsTheCodeOfTheWebhooksError(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		webhook := s.url + "/webhooks/gitlab"
		s.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = "whsec_YW5vdGhlci1rZXktYW5vdGhlci1rZXktYW5vdGhlciE="
		s.local(map[string]string{})
		if e, got := s.robot("replay", "issue_opened", "--url", webhook); got.exit != 11 || e.code() != "invalid_signature" {
			t.Errorf("exit %d: %s", got.exit, got.out)
		}
		s.env["GITLAB_WEBHOOK_SIGNING_TOKENS"] = "not a token!"
		if e, got := s.robot("replay", "issue_opened", "--url", webhook); got.exit != 2 || strings.Contains(e.Error.Message, "not a token!") {
			t.Errorf("a malformed token: %s", got.out)
		}
	})
}

func TestReplay_DoesNotFollowRedirects(t *testing.T) {
	elsewhere := newReceiver(t, http.StatusOK, `{"status":"queued"}`)
	redirect := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirect.Close()
	p := newProgram(t)
	p.local(map[string]string{})
	p.env["GITLAB_WEBHOOK_SECRET_TOKENS"] = "first-not-real"
	if _, got := p.robot("replay", "push", "--url", redirect.URL); got.exit == 0 || elsewhere.header != nil {
		t.Errorf("exit %d, the other server got %v: %s", got.exit, elsewhere.header, got.out)
	}
}
