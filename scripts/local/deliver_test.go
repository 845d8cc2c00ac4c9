package main

import (
	"net/http"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// 32 zero bytes, not a real key.
const sampleSigningToken = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func TestASignedDeliveryIsAcceptedByTheVerifier(t *testing.T) {
	now := time.Date(2026, 5, 28, 6, 17, 50, 0, time.UTC)
	verifier, err := delivery.NewVerifier([]string{sampleSigningToken}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := webhook{event: "Issue Hook", body: []byte(`{"object_kind":"issue"}`), key: "a-key", signingToken: sampleSigningToken}
	h := make(http.Header)
	if err := sent.sign(h, now); err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(h, sent.body, now); err != nil {
		t.Error(err)
	}
	if got := h.Get("Idempotency-Key"); got != sent.key {
		t.Errorf("Idempotency-Key is %q, want %q", got, sent.key)
	}
}

func TestTheEventIsToldFromThePayload(t *testing.T) {
	for body, want := range map[string]string{
		`{"object_kind":"issue"}`:         "Issue Hook",
		`{"object_kind":"work_item"}`:     "Issue Hook",
		`{"object_kind":"merge_request"}`: "Merge Request Hook",
		`{"object_kind":"note"}`:          "Note Hook",
		`{"event_name":"project_create"}`: "System Hook",
		`no JSON`:                         "System Hook",
	} {
		if got := eventOf([]byte(body)); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}
