// Command webhook is the Lambda function behind POST /webhooks/gitlab.
package main

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
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
	c, client := env.Config, awsapi.NewSQS(env.AWS)
	return gateway.Adapt(&webhook.Handler{
		Verifiers: secret.NewSource(loadVerifier(env), time.Now).OnFailure(env.SecretFailed),
		Queue:     queue.NewSender(client, c.RequestsQueueURL),
		Hides:     queue.NewSender(client, c.HidesQueueURL),
		Allows:    c.Projects.Allows,
		Clock:     time.Now,
		Log:       env.Log,
		NewTrace:  trace.Source(rand.Reader),
		Meter:     env.Meter,
	}), nil
}

// loadVerifier returns the load function for the tokens. They come from the environment
// if it contains any, otherwise from the secret, if one is named. A token that cannot
// be used is reported, and the others are used.
func loadVerifier(env function.Env[config.Webhook]) func(context.Context) (*delivery.Verifier, error) {
	c := env.Config
	load := func(context.Context) (*delivery.Verifier, error) {
		return delivery.NewVerifier(c.SigningTokens, c.SecretTokens)
	}
	if len(c.SigningTokens)+len(c.SecretTokens) == 0 && c.SecretID != "" {
		client := sync.OnceValue(func() secret.Reader { return awsapi.NewSecretsManager(env.AWS) })
		load = secret.FromManager(client, c.SecretID, delivery.ParseVerifier)
	}
	return func(ctx context.Context) (*delivery.Verifier, error) {
		verifier, err := load(ctx)
		if err == nil && verifier.Defects() != nil {
			env.SecretFailed(ctx, verifier.Defects())
		}
		return verifier, err
	}
}
