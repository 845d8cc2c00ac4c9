package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const (
	gitlabToken = "glpat-not-a-real-token"
	secretToken = "not-a-real-secret-token"
	// patience limits the wait for conditions that hold within seconds on an
	// idle machine.
	patience = 90 * time.Second
)

// stack is the stack under test. TestMain starts it once, because that takes
// longer than all tests together.
type stack struct {
	*devstack.Stack
	// dir contains its state, logs and records.
	dir    string
	gitlab *fakegitlab.Server
	err    error
}

var shared stack

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lorehook-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.dir = dir
	shared.gitlab = fakegitlab.New(fakegitlab.Options{Token: gitlabToken})
	// A certificate that only the stack's CA bundle makes valid, as a self-managed
	// GitLab may have it.
	server := httptest.NewTLSServer(shared.gitlab)
	defer server.Close()
	bundle := filepath.Join(dir, "gitlab-ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	embedder := httptest.NewServer(fakeembedder.Handler())
	defer embedder.Close()
	shared.Stack, shared.err = devstack.Up(context.Background(), devstack.StackOptions{
		Dir: dir, Name: "e2e", GitLabBaseURL: server.URL, GitLabCABundle: bundle, GitLabToken: gitlabToken, SecretTokens: []string{secretToken},
		Embedder: devstack.Embedder{URL: embedder.URL + "/v1", Model: fakeembedder.Name},
		Projects: "1,2", GitLabRequestsPerSecond: 200, Progress: func(step string) { fmt.Fprintln(os.Stderr, "e2e:", step) },
	})
	if shared.err == nil {
		defer func() { _ = shared.Stop() }() // anything left running would show up as a process
		shared.err = shared.Rest(context.Background(), "crawler", "indexer")
	}
	return m.Run()
}

// wake ends the rest of a function until the test ends. The others rest because the tests
// see what deliveries do: every five minutes a reconcile would be ahead of them, and every
// change would start the indexer, which only one test is about.
func (s stack) wake(t *testing.T, function string) {
	t.Helper()
	if err := s.Wake(t.Context(), function); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Rest(context.WithoutCancel(t.Context()), function); err != nil {
			t.Error(err)
		}
	})
}

// up returns the stack, or skips loudly if this machine cannot have one.
func up(t *testing.T) stack {
	t.Helper()
	engines.SkipMissing(t, shared.err)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared
}

// delivery is one POST to the webhook.
type delivery struct {
	event string
	body  []byte
	key   string
	// header is set last; an empty value removes a header.
	header map[string]string
}

type answer struct {
	Status int
	Body   struct {
		// Status is a word, or the HTTP status of a problem.
		Status any               `json:"status"`
		Reason string            `json:"reason"`
		RunID  string            `json:"run_id"`
		Code   surgical.Code     `json:"code"`
		Target []surgical.Target `json:"targets"`
	}
	Header http.Header
}

// deliver signs and sends as GitLab does.
func (s stack) deliver(t *testing.T, d delivery) answer {
	t.Helper()
	if d.key == "" {
		d.key = rand.Text()
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoints.WebhookURL, bytes.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := standardwebhooks.NewWebhook(s.Endpoints.SigningToken)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign(d.key, now, d.body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Gitlab-Event": d.event, "Idempotency-Key": d.key,
		"webhook-id": d.key, "webhook-timestamp": strconv.FormatInt(now.Unix(), 10), "webhook-signature": signature,
	} {
		req.Header.Set(name, value)
	}
	for name, value := range d.header {
		if req.Header.Set(name, value); value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: resp.StatusCode, Header: resp.Header}
	if err := json.Unmarshal(raw, &a.Body); err != nil {
		t.Errorf("the response %d is not JSON: %.200s", resp.StatusCode, raw)
	}
	return a
}

// get reads JSON from the API if the status is 200.
func (s stack) get(t *testing.T, path string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoints.APIURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode
}

type syncRun struct {
	RunID     string             `json:"run_id"`
	Status    surgical.RunStatus `json:"status"`
	Stage     surgical.Stage     `json:"stage"`
	ErrorCode surgical.Code      `json:"error_code"`
	Attempts  int64              `json:"attempts"`
	Counters  map[string]int64   `json:"counters"`
	Entities  []struct {
		IID    int64                 `json:"iid"`
		Status surgical.EntityStatus `json:"status"`
		Code   surgical.Code         `json:"error_code"`
	} `json:"entities"`
	Error *surgical.Error `json:"error"`
}

// ended waits until the run is terminal.
func (s stack) ended(t *testing.T, runID string) syncRun {
	t.Helper()
	var r syncRun
	until(t, "run "+runID+" ends", func() bool {
		return s.get(t, "/v1/sync-runs/"+runID, &r) == http.StatusOK && r.Status.Terminal()
	})
	return r
}

// until polls for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}
