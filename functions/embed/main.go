// Command embed is the Lambda function that embeds what a run regenerated.
package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/token"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Embed]) (any, error) {
	c, db := env.Config, dynamo.New(env.AWS)
	secrets := sync.OnceValue(func() secret.Reader { return secretsmanager.NewFromConfig(env.AWS) })
	apiKey := secret.NewSource(secret.FromManager(secrets, c.APIKeySecretID, token.Key), time.Now).OnFailure(env.SecretFailed)
	// The embedder itself repeats what failed: the SDK would not honor Retry-After,
	// and would not slow the other requests down.
	bedrock := bedrockruntime.NewFromConfig(awsenv.Patient(env.AWS), func(o *bedrockruntime.Options) { o.Retryer = aws.NopRetryer{} })
	embedder, err := embedding.New(c.Embedder, embedding.Deps{Bedrock: bedrock, APIKey: apiKey.Get, Jitter: rand.N[time.Duration]})
	if err != nil {
		return nil, err
	}
	rows := ledger.New(db, c.Tables, time.Now).Metered(env.Meter)
	starter := &workflow.Starter{Client: sfn.NewFromConfig(awsenv.Patient(env.AWS)), StateMachineARN: c.StateMachineARN}
	runner := &workflow.Runner{
		Ledger:   rows,
		Launcher: &workflow.Launcher{Starter: starter, Ledger: rows},
		Work:     &workflow.Embeddings{Content: content.NewStore(db, c.Content, time.Now), Embedder: embedder},
		Log:      env.Log,
		Meter:    env.Meter,
	}
	return runner.Handle, nil
}
