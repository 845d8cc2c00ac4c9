package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Tolerance is how far a signature's timestamp may be from now, in either
// direction.
const Tolerance = 5 * time.Minute

// TokenHeader carries a hook's secret token.
const TokenHeader = "X-Gitlab-Token"

// The headers of Standard Webhooks, spelled as [http.Header] has them, which finds them
// without building their names.
const (
	// IDHeader carries the delivery's id, which the signature covers.
	IDHeader        = "Webhook-Id"
	timestampHeader = "Webhook-Timestamp"
	signatureHeader = "Webhook-Signature"
)

// ErrNoTokens means that no token is configured to verify deliveries with. This
// is the operator's mistake, not the sender's.
var ErrNoTokens = errors.New("neither a signing token nor a secret token is configured")

// Verifier checks whether a delivery comes from a hook that knows one of the
// configured tokens. It is safe for concurrent use.
type Verifier struct {
	signing []signer
	secrets [][sha256.Size]byte
	defects []error
}

// signer returns the v1 signature in base64. It is a function, so that nothing that
// prints a [Verifier] can print the key.
type signer func(id string, seconds int64, body []byte) []byte

// Verify returns nil if the delivery is authentic. If it has a webhook-signature
// header, only the signature is checked: one of the signing tokens must have
// signed body, at a time within [Tolerance] of now. Without that header, the
// X-Gitlab-Token must be one of the secret tokens.
//
// Its errors are [surgical.CodeInvalidSignature] and [ErrNoTokens].
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) error {
	if len(v.signing) == 0 && len(v.secrets) == 0 {
		return ErrNoTokens
	}
	if Signed(h) {
		return v.verifySignature(h, body, now)
	}
	return v.verifyToken(h.Values(TokenHeader))
}

// Signed reports whether the delivery has a signature, in which case only the
// signature may be checked.
func Signed(h http.Header) bool { return len(h.Values(signatureHeader)) > 0 }

func (v *Verifier) verifySignature(h http.Header, body []byte, now time.Time) error {
	timestamp := Header(h, timestampHeader)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return surgical.NewError(surgical.CodeInvalidSignature, "the webhook-timestamp header is missing or not a number of seconds")
	}
	// Compare whole seconds: a Duration would overflow for absurd times.
	if at, limit := now.Unix(), int64(Tolerance/time.Second); seconds < at-limit || seconds > at+limit {
		return surgical.NewError(surgical.CodeInvalidSignature, "the webhook-timestamp is more than 5 minutes from now; check both clocks")
	}
	sent := signatures(h.Values(signatureHeader))
	if len(sent) == 0 {
		return surgical.NewError(surgical.CodeInvalidSignature, "the delivery has no v1 signature")
	}
	for _, id := range slices.Compact([]string{strings.Join(h.Values(IDHeader), ","), Header(h, IDHeader)}) {
		if id == "" {
			continue
		}
		for _, sign := range v.signing {
			expected := sign(id, seconds, body)
			if slices.ContainsFunc(sent, func(s string) bool { return hmac.Equal([]byte(s), expected) }) {
				return nil
			}
		}
	}
	return surgical.NewError(surgical.CodeInvalidSignature, "none of the delivery's signatures matches a configured signing token")
}

// signerWith signs with HMAC-SHA256 of the id, the time and the body, with points between
// them. Standard Webhooks' library copies the body three times to compute it, and its check
// of the time reads the wall clock. Tests sign with it.
func signerWith(key []byte) signer {
	return func(id string, seconds int64, body []byte) []byte {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%d.", id, seconds) // a hash takes everything
		_, _ = mac.Write(body)
		return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
	}
}

// signatures returns the v1 signatures of a delivery, without their versions. The
// specification separates them by spaces. A proxy joins repeated headers with commas, which also
// separate a signature from its version: in "v1,AAAA,v1,BBBB" a version stands
// before each.
func signatures(values []string) []string {
	parts := strings.FieldsFunc(strings.Join(values, ","), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	var found []string
	for i := 1; i < len(parts); i++ {
		if parts[i-1] == "v1" {
			found = append(found, parts[i])
		}
	}
	return found
}

// verifyToken accepts a token as it was sent, or the one that equal copies joined by
// a proxy hold: a token may contain a comma itself.
func (v *Verifier) verifyToken(values []string) error {
	sent := strings.TrimSpace(strings.Join(values, ","))
	if sent == "" {
		return surgical.NewError(surgical.CodeInvalidSignature, "the delivery has neither a webhook-signature nor an X-Gitlab-Token header")
	}
	if !v.knows(sent) && !v.knows(once(sent)) {
		return surgical.NewError(surgical.CodeInvalidSignature, "the X-Gitlab-Token is not a configured secret token")
	}
	return nil
}

func (v *Verifier) knows(token string) bool {
	// Hashes have a fixed length, so the comparison does not leak the token's.
	got, match := sha256.Sum256([]byte(token)), 0
	for _, want := range v.secrets {
		match |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return match == 1
}
