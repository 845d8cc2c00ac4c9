package token_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/token"
)

func TestNew_IsAcceptedAndNeverTheSame(t *testing.T) {
	key, err := token.Signing(token.NewSigning())
	if err != nil || len(key) != 32 {
		t.Errorf("a signing token has a key of %d bytes, error %v", len(key), err)
	}
	secret := token.NewSecret()
	if got, err := token.Secret(secret); err != nil || got != secret {
		t.Errorf("a secret token: %v", err)
	}
	if first := token.NewSigning(); token.NewSigning() == first || token.NewSecret() == secret {
		t.Error("two tokens are the same")
	}
}
