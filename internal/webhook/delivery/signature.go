package delivery

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Tolerance is how far a signature's timestamp may lie from now, either way.
const Tolerance = 5 * time.Minute

// TokenHeader carries a hook's secret token.
const TokenHeader = "X-Gitlab-Token"

// minKeyBytes is the least that the Standard Webhooks specification allows;
// GitLab's keys have 32 bytes. An empty key would let everybody sign.
const minKeyBytes = 24

// ErrNoTokens says that nothing is configured to verify deliveries with. It is
// the operator's fault, not the sender's.
var ErrNoTokens = errors.New("neither a signing token nor a secret token is configured")

// Verifier decides whether a delivery comes from a hook that knows one of our
// tokens. It is safe for concurrent use.
type Verifier struct {
	signing []*standardwebhooks.Webhook
	secrets [][sha256.Size]byte
}

// NewVerifier takes signing tokens (whsec_ and the base64 of a key) and secret
// tokens (sent as they are). Several of each make rotation possible; blank ones
// are skipped, for an empty list in the environment yields one. It fails if a
// signing token is malformed, without quoting it.
func NewVerifier(signingTokens, secretTokens []string) (*Verifier, error) {
	v := &Verifier{}
	for i, token := range signingTokens {
		if token = strings.TrimSpace(token); token == "" {
			continue
		}
		encoded, ok := strings.CutPrefix(token, "whsec_")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < minKeyBytes {
			return nil, fmt.Errorf("signing token %d is not whsec_ and the base64 of at least %d bytes", i+1, minKeyBytes)
		}
		wh, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, fmt.Errorf("signing token %d cannot be used", i+1)
		}
		v.signing = append(v.signing, wh)
	}
	for _, token := range secretTokens {
		if token = strings.TrimSpace(token); token != "" {
			v.secrets = append(v.secrets, sha256.Sum256([]byte(token)))
		}
	}
	return v, nil
}

// Verify accepts a delivery whose webhook-signature header, if there is one,
// signs body under one of the signing tokens at a time within [Tolerance] of
// now; only without that header does a known X-Gitlab-Token count. A wrong
// signature is thus never saved by a right token.
//
// It fails with [surgical.CodeInvalidSignature], or with [ErrNoTokens].
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) error {
	if len(v.signing) == 0 && len(v.secrets) == 0 {
		return ErrNoTokens
	}
	if len(h.Values(standardwebhooks.HeaderWebhookSignature)) > 0 {
		return v.verifySignature(h, body, now)
	}
	return v.verifyToken(h.Get(TokenHeader))
}

func (v *Verifier) verifySignature(h http.Header, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(h.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return surgical.NewError(surgical.CodeInvalidSignature, "the webhook-timestamp header is missing or no number of seconds")
	}
	// Compared in whole seconds: a Duration would overflow for absurd times.
	if at, limit := now.Unix(), int64(Tolerance/time.Second); seconds < at-limit || seconds > at+limit {
		return surgical.NewError(surgical.CodeInvalidSignature, "the webhook-timestamp lies more than 5 minutes from now; check both clocks")
	}
	for _, wh := range v.signing {
		// The library's own check of the time reads the wall clock.
		if wh.VerifyIgnoringTimestamp(body, h) == nil {
			return nil
		}
	}
	return surgical.NewError(surgical.CodeInvalidSignature, "no signature of the delivery matches a configured signing token")
}

func (v *Verifier) verifyToken(token string) error {
	if token == "" {
		return surgical.NewError(surgical.CodeInvalidSignature, "the delivery carries neither a webhook-signature nor an X-Gitlab-Token header")
	}
	// Hashes have one length, so that the comparison does not tell the token's.
	got, match := sha256.Sum256([]byte(token)), 0
	for _, want := range v.secrets {
		match |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	if match != 1 {
		return surgical.NewError(surgical.CodeInvalidSignature, "the X-Gitlab-Token is not a configured secret token")
	}
	return nil
}
