package delivery

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/token"
)

// The members of the webhook's secret.
const (
	signingMember = "signing_tokens"
	secretMember  = "secret_tokens"
)

// NewVerifier returns a verifier for signing tokens (whsec_ and the base64 of a key)
// and secret tokens (sent in the clear). Several of each make rotation possible; blank
// ones are skipped. A token that cannot be used is left out, and [Verifier.Defects]
// names it; it is an error if no other is left.
func NewVerifier(signingTokens, secretTokens []string) (*Verifier, error) {
	v := &Verifier{}
	v.addEach(signingMember, signingTokens, v.addSigning)
	v.addEach(secretMember, secretTokens, v.addSecret)
	return v.usable()
}

// ParseVerifier returns the verifier for the text of the webhook's secret:
// {"signing_tokens":["whsec_…"],"secret_tokens":["…"]}. Both members are optional, and
// a text in place of a list is one token. Like [NewVerifier] it leaves out what cannot
// be used, and no error contains any part of the text.
func ParseVerifier(text string) (*Verifier, error) {
	const form = `it is not a JSON object such as {"signing_tokens":["whsec_…"],"secret_tokens":["…"]}`
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') || !json.Valid([]byte(text)) {
		return nil, errors.New(form) // the decoder's error may quote the secret
	}
	v, seen := &Verifier{}, map[string]bool{}
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, errors.New(form)
		}
		v.addMember(fmt.Sprint(name), value, seen)
	}
	return v.usable()
}

func (v *Verifier) addMember(name string, value json.RawMessage, seen map[string]bool) {
	if name != signingMember && name != secretMember {
		// The name is not repeated: somebody may have put a token in its place.
		v.reject(errors.New("a member is called neither " + signingMember + " nor " + secretMember))
		return
	}
	if seen[name] {
		v.reject(errors.New(name + " occurs twice, and only the first is used"))
		return
	}
	seen[name] = true
	if string(value) == "null" {
		return
	}
	text := string(value)
	if json.Unmarshal(value, &text) != nil && value[0] != '[' {
		v.reject(errors.New(name + ": it is neither a JSON list of strings nor a text"))
		return
	}
	tokens, err := token.ParseList(text)
	switch {
	case err != nil:
		v.reject(fmt.Errorf("%s: %w", name, err))
	case name == signingMember:
		v.addEach(name, tokens, v.addSigning)
	default:
		v.addEach(name, tokens, v.addSecret)
	}
}

// addEach adds the tokens of a member that are not blank, and rejects those that cannot
// be added, by their place.
func (v *Verifier) addEach(member string, tokens []string, add func(text string) error) {
	for i, text := range tokens {
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := add(text); err != nil {
			v.reject(fmt.Errorf("%s, number %d: %w", member, i+1, err))
		}
	}
}

func (v *Verifier) addSigning(text string) error {
	key, err := token.Signing(text)
	if err != nil {
		return err
	}
	v.signing = append(v.signing, signerWith(key))
	return nil
}

func (v *Verifier) addSecret(text string) error {
	text, err := token.Secret(text)
	if err != nil {
		return err
	}
	v.secrets = append(v.secrets, sha256.Sum256([]byte(text)))
	return nil
}

func (v *Verifier) reject(why error) { v.defects = append(v.defects, why) }

// Defects names the tokens that were left out because they cannot be used, by their
// place and without any part of them; nil if there are none.
func (v *Verifier) Defects() error { return errors.Join(v.defects...) }

// usable returns v, or why none of the given tokens can be used.
func (v *Verifier) usable() (*Verifier, error) {
	if len(v.signing)+len(v.secrets) == 0 && len(v.defects) > 0 {
		return nil, v.Defects()
	}
	return v, nil
}
