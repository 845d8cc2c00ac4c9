package token

import (
	"crypto/rand"
	"encoding/base64"
)

// newKeyBytes is the length of the keys that GitLab makes.
const newKeyBytes = 32

// NewSigning returns a new signing token, which [Signing] and GitLab accept.
func NewSigning() string { return SigningPrefix + base64.StdEncoding.EncodeToString(newKey()) }

// NewSecret returns a new secret token, which [Secret] and GitLab accept.
func NewSecret() string { return base64.RawURLEncoding.EncodeToString(newKey()) }

func newKey() []byte {
	key := make([]byte, newKeyBytes)
	_, _ = rand.Read(key) // never fails
	return key
}
