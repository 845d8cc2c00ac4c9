package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Reader is the part of the Secrets Manager client that [FromManager] uses.
type Reader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// FromManager returns a load function for [NewSource] that reads the secret with
// the id (name or ARN) and parses it. client is called only when the secret is
// read, because creating the client dominates a cold start. Errors name the secret
// but never quote it.
func FromManager[T any](client func() Reader, id string, parse func(text string) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		var none T
		out, err := client().GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
		if err != nil {
			return none, fmt.Errorf("read secret %s: %w", id, err)
		}
		value, err := parse(aws.ToString(out.SecretString))
		if err != nil {
			return none, fmt.Errorf("secret %s: %w", id, err)
		}
		return value, nil
	}
}

// Text parses a plain-text secret, such as an access token. It trims white space
// and rejects an empty text.
func Text(text string) (string, error) {
	if text = strings.TrimSpace(text); text == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}

// WebhookTokens are the tokens that deliveries are verified with.
type WebhookTokens struct {
	Signing, Secret []string
}

// ParseWebhookTokens parses {"signing_tokens":"whsec_…,whsec_…","secret_tokens":"…"};
// both members are optional, comma-separated lists.
func ParseWebhookTokens(text string) (WebhookTokens, error) {
	var members struct {
		SigningTokens string `json:"signing_tokens"`
		SecretTokens  string `json:"secret_tokens"`
	}
	if json.Unmarshal([]byte(text), &members) != nil {
		// The decoder's error is dropped, because it may quote the secret.
		return WebhookTokens{}, errors.New(`it is not {"signing_tokens":"…","secret_tokens":"…"}`)
	}
	return WebhookTokens{Signing: split(members.SigningTokens), Secret: split(members.SecretTokens)}, nil
}

func split(list string) []string {
	var tokens []string
	for token := range strings.SplitSeq(list, ",") {
		if token = strings.TrimSpace(token); token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}
