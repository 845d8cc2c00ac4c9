// Command webhook is the Lambda function behind POST /webhooks/gitlab.
package main

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Webhook]) (any, error) {
	c := env.Config
	return gateway.Adapt(&webhook.Handler{
		Verifiers: secret.NewSource(loadVerifier(c, env.AWS), time.Now),
		Queue:     queue.NewSender(sqs.NewFromConfig(env.AWS), c.RequestsQueueURL),
		Allows:    c.Projects.Allows,
		Clock:     time.Now,
		Log:       env.Log,
		NewTrace:  trace.Source(rand.Reader),
		Meter:     env.Meter,
	}), nil
}

// loadVerifier takes the tokens from the environment if there are any, and else
// from the secret, if one is named.
func loadVerifier(c config.Webhook, cfg aws.Config) func(context.Context) (*delivery.Verifier, error) {
	if len(c.SigningTokens)+len(c.SecretTokens) > 0 || c.SecretID == "" {
		return func(context.Context) (*delivery.Verifier, error) {
			return delivery.NewVerifier(c.SigningTokens, c.SecretTokens)
		}
	}
	client := sync.OnceValue(func() secret.Reader { return secretsmanager.NewFromConfig(cfg) })
	return secret.FromManager(client, c.SecretID, func(text string) (*delivery.Verifier, error) {
		tokens, err := secret.ParseWebhookTokens(text)
		if err != nil {
			return nil, err
		}
		return delivery.NewVerifier(tokens.Signing, tokens.Secret)
	})
}
