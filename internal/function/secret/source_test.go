package secret_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/secret"
)

// vault is a Secrets Manager whose secret and error the test controls.
type vault struct {
	mu    sync.Mutex
	text  string
	err   error
	reads int
}

func (v *vault) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	if v.err != nil {
		return nil, v.err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(v.text)}, nil
}

func newSource(v *vault, now *time.Time) *secret.Source[string] {
	return secret.NewSource(secret.FromManager(func() secret.Reader { return v }, "sample", secret.Text), func() time.Time { return *now })
}

func TestSourceGet_ReadsOnFirstUseAndKeepsTheValue(t *testing.T) {
	v, now := &vault{text: "one\n"}, time.Unix(1000, 0)
	s := newSource(v, &now)
	if v.reads != 0 {
		t.Error("read before it was needed")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := s.Get(t.Context()); got != "one" || err != nil {
				t.Errorf("Get = %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	now = now.Add(time.Hour)
	if _, err := s.Get(t.Context()); err != nil || v.reads != 1 {
		t.Errorf("%d reads, error %v", v.reads, err)
	}
}

func TestSourceRefresh_ReadsAtMostOnceInTenSeconds(t *testing.T) {
	v, now := &vault{text: "one"}, time.Unix(1000, 0)
	s := newSource(v, &now)
	if _, err := s.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.text = "two"
	steps := []struct {
		after time.Duration
		want  string
		read  bool
	}{{9 * time.Second, "one", false}, {time.Second, "two", true}, {9999 * time.Millisecond, "two", false}, {time.Millisecond, "two", true}, {-time.Hour, "two", true}}
	for i, step := range steps {
		now = now.Add(step.after)
		got, read, err := s.Refresh(t.Context())
		if got != step.want || read != step.read || err != nil {
			t.Errorf("step %d: Refresh = %q, %v, %v, want %q, %v", i, got, read, err, step.want, step.read)
		}
	}
}

func TestSourceRefresh_KeepsThePreviousValueOnFailure(t *testing.T) {
	v, now := &vault{text: "one"}, time.Unix(1000, 0)
	s := newSource(v, &now)
	if _, err := s.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.err = errors.New("throttled")
	now = now.Add(time.Minute)
	if _, read, err := s.Refresh(t.Context()); read || err == nil {
		t.Errorf("Refresh = %v, %v, want the failure", read, err)
	}
	if got, err := s.Get(t.Context()); got != "one" || err != nil {
		t.Errorf("Get = %q, %v, want the previous value", got, err)
	}
	if _, _, err := s.Refresh(t.Context()); err != nil || v.reads != 2 {
		t.Errorf("%d reads, error %v: a failed read counts too", v.reads, err)
	}
}

func TestSourceGet_RetriesAFailedFirstReadAfterASecond(t *testing.T) {
	v, now := &vault{text: "one", err: errors.New("throttled")}, time.Unix(1000, 0)
	s := newSource(v, &now)
	for range 3 {
		if _, err := s.Get(t.Context()); err == nil {
			t.Fatal("Get succeeded")
		}
	}
	if v.reads != 1 {
		t.Errorf("%d reads within a second", v.reads)
	}
	v.err, now = nil, now.Add(time.Second)
	if got, err := s.Get(t.Context()); got != "one" || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestParseWebhookTokens_NeverQuotesTheSecret(t *testing.T) {
	tests := []struct {
		text string
		want secret.WebhookTokens
		bad  bool
	}{
		{`{"signing_tokens":"whsec_a, whsec_b,","secret_tokens":"c"}`, secret.WebhookTokens{Signing: []string{"whsec_a", "whsec_b"}, Secret: []string{"c"}}, false},
		{`{"other":1}`, secret.WebhookTokens{}, false},
		{`sample-secret-text`, secret.WebhookTokens{}, true},
		{`{"signing_tokens":["sample-secret-text"]}`, secret.WebhookTokens{}, true},
	}
	for _, tt := range tests {
		got, err := secret.ParseWebhookTokens(tt.text)
		if (err != nil) != tt.bad {
			t.Errorf("%s: error %v", tt.text, err)
		}
		if err != nil && strings.Contains(err.Error(), "sample") {
			t.Errorf("the error quotes the secret: %v", err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
	if _, err := secret.Text(" \n"); err == nil {
		t.Error("Text accepts an empty text")
	}
}
