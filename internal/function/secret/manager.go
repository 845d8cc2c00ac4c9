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

// Reader is the part of the Secrets Manager client that is used.
type Reader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// FromManager returns a load function that reads the text of the secret id
// (name or ARN) and parses it. The client is made when it is first needed: on
// Lambda's cold path it costs more than the rest. Errors name the secret and
// never quote it.
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

// Text parses a secret that is plain text, such as an access token.
func Text(text string) (string, error) {
	if text = strings.TrimSpace(text); text == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}

// WebhookTokens are what deliveries are verified with.
type WebhookTokens struct {
	Signing, Secret []string
}

// ParseWebhookTokens parses {"signing_tokens":"whsec_…,whsec_…","secret_tokens":"…"};
// both members are optional and comma-separated.
func ParseWebhookTokens(text string) (WebhookTokens, error) {
	var members struct {
		SigningTokens string `json:"signing_tokens"`
		SecretTokens  string `json:"secret_tokens"`
	}
	if json.Unmarshal([]byte(text), &members) != nil {
		// The decoder's error is left out: it quotes.
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
