package delivery_test

import (
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

var now = time.Date(2026, time.May, 28, 7, 0, 0, 0, time.UTC)

const body = `{"object_kind":"issue","title":"Grüße"}`

// sampleToken is a signing token that is visibly fake.
func sampleToken(letter string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

func sign(t testing.TB, token string, at time.Time, body string) http.Header {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(token)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign("delivery-1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", "delivery-1")
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", signature)
	return h
}

func TestOnlyWhoKnowsATokenGetsIn(t *testing.T) {
	ours, older, foreign := sampleToken("a"), sampleToken("b"), sampleToken("x")
	signedBy := func(token string) http.Header { return sign(t, token, now, body) }
	with := func(h http.Header, pairs ...string) http.Header {
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	without := func(h http.Header, name string) http.Header { h.Del(name); return h }
	wrong := "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	tests := []struct {
		name   string
		header http.Header
		body   string
		ok     bool
	}{
		{"signature", signedBy(ours), body, true},
		{"signature by the older token", signedBy(older), body, true},
		{"signature by a foreign token", signedBy(foreign), body, false},
		{"several signatures, one of them right", with(signedBy(ours), "webhook-signature", wrong+" v2,abc "+signedBy(ours).Get("webhook-signature")+" "+wrong), body, true},
		{"several signatures, none of them right", with(signedBy(ours), "webhook-signature", wrong+" "+wrong), body, false},
		{"another body", signedBy(ours), body + " ", false},
		{"another id", with(signedBy(ours), "webhook-id", "delivery-2"), body, false},
		{"missing id", without(signedBy(ours), "webhook-id"), body, false},
		{"missing timestamp", without(signedBy(ours), "webhook-timestamp"), body, false},
		{"timestamp that is no number", with(signedBy(ours), "webhook-timestamp", "soon"), body, false},
		{"another timestamp", with(signedBy(ours), "webhook-timestamp", strconv.FormatInt(now.Unix()+1, 10)), body, false},
		{"absurd timestamp", with(signedBy(ours), "webhook-timestamp", strconv.Itoa(math.MinInt64)), body, false},
		{"partial signature", with(signedBy(ours), "webhook-signature", "v1,"), body, false},
		{"signature without a version", with(signedBy(ours), "webhook-signature", strings.TrimPrefix(signedBy(ours).Get("webhook-signature"), "v1,")), body, false},
		{"empty signature", with(signedBy(ours), "webhook-signature", ""), body, false},
		{"5 minutes old", sign(t, ours, now.Add(-delivery.Tolerance), body), body, true},
		{"older than 5 minutes", sign(t, ours, now.Add(-delivery.Tolerance-time.Second), body), body, false},
		{"5 minutes ahead", sign(t, ours, now.Add(delivery.Tolerance), body), body, true},
		{"further ahead than 5 minutes", sign(t, ours, now.Add(delivery.Tolerance+time.Second), body), body, false},
		{"signature twice", with(signedBy(ours), "webhook-signature", signedBy(ours).Get("webhook-signature")+","+signedBy(ours).Get("webhook-signature")), body, true},
		{"another signature joined before it", with(signedBy(ours), "webhook-signature", "v1,AAAA,"+signedBy(ours).Get("webhook-signature")), body, true},
		{"another signature joined behind it", with(signedBy(ours), "webhook-signature", signedBy(ours).Get("webhook-signature")+", v2,AAAA"), body, true},
		{"joined, under another version", with(signedBy(ours), "webhook-signature", "v1,AAAA,v2,"+strings.TrimPrefix(signedBy(ours).Get("webhook-signature"), "v1,")), body, false},
		{"id and time twice", with(signedBy(ours), "webhook-id", "delivery-1,delivery-1", "webhook-timestamp", signedBy(ours).Get("webhook-timestamp")+", "+signedBy(ours).Get("webhook-timestamp")), body, true},
		{"two ids", with(signedBy(ours), "webhook-id", "delivery-1,delivery-2"), body, false},
		{"two times", with(signedBy(ours), "webhook-timestamp", signedBy(ours).Get("webhook-timestamp")+",1"), body, false},
		{"token twice", with(http.Header{}, "X-Gitlab-Token", "sample-token, sample-token"), body, true},
		{"token in two fields", http.Header{"X-Gitlab-Token": {"sample-token", "sample-token"}}, body, true},
		{"a token that looks like two copies", with(http.Header{}, "X-Gitlab-Token", "sample-half,sample-half"), body, true},
		{"two tokens of ours", with(http.Header{}, "X-Gitlab-Token", "sample-token,older-sample-token"), body, false},
		{"a token and another", with(http.Header{}, "X-Gitlab-Token", "sample-token,x"), body, false},
		{"token", with(http.Header{}, "X-Gitlab-Token", "sample-token"), body, true},
		{"older token", with(http.Header{}, "X-Gitlab-Token", "older-sample-token"), body, true},
		{"wrong token", with(http.Header{}, "X-Gitlab-Token", "sample-toke"), body, false},
		{"a signing token sent as a token", with(http.Header{}, "X-Gitlab-Token", ours), body, false},
		{"neither", http.Header{}, body, false},
		{"a right token does not save a wrong signature", with(signedBy(foreign), "X-Gitlab-Token", "sample-token"), body, false},
		{"a right token does not save an empty signature", with(http.Header{}, "X-Gitlab-Token", "sample-token", "webhook-signature", ""), body, false},
	}
	verifier, err := delivery.NewVerifier([]string{ours, " " + older + "\n", ""}, []string{"sample-token", "older-sample-token", "sample-half,sample-half", ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := verifier.Verify(tt.header, []byte(tt.body), now)
			if tt.ok && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if !tt.ok && surgical.CodeOf(err) != surgical.CodeInvalidSignature {
				t.Fatalf("error = %v, want invalid_signature", err)
			}
		})
	}
}

func TestWithoutTokensNobodyGetsIn(t *testing.T) {
	verifier, err := delivery.NewVerifier([]string{""}, []string{"  "})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("X-Gitlab-Token", "")
	if err := verifier.Verify(h, []byte(body), now); !errors.Is(err, delivery.ErrNoTokens) {
		t.Errorf("error = %v, want ErrNoTokens", err)
	}
}

func TestASigningTokenThatAnybodyCouldGuessIsRefused(t *testing.T) {
	for _, token := range []string{"whsec_", "whsec_c2hvcnQ=", "whsec_!!!", strings.TrimPrefix(sampleToken("a"), "whsec_")} {
		_, err := delivery.NewVerifier([]string{token}, nil)
		if err == nil {
			t.Errorf("NewVerifier took %q", token)
		} else if encoded := strings.TrimPrefix(token, "whsec_"); encoded != "" && strings.Contains(err.Error(), encoded) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}
