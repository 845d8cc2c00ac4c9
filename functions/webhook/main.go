// Command webhook is the Lambda function behind POST /webhooks/gitlab.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

func main() {
	c, err := config.Load[config.Webhook]()
	log := logs.Function(c.LogLevel)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	cfg := awsenv.Config()
	handler := &webhook.Handler{
		Verifiers: secret.NewSource(loadVerifier(c, cfg), time.Now),
		Queue:     queue.NewSender(sqs.NewFromConfig(cfg), c.RequestsQueueURL),
		Allows:    c.Projects.Allows,
		Clock:     time.Now,
		Log:       log,
		NewTrace:  trace.Source(rand.Reader),
		Meter:     metrics.New(os.Stdout, c.MetricsNamespace, time.Now),
	}
	lambda.Start(gateway.Adapt(handler))
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
