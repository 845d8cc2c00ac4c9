// Command embed is the Lambda function that embeds what a run regenerated.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() {
	c, err := config.Load[config.Embed]()
	log := logs.Function(c.LogLevel)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	cfg := awsenv.Config()
	secrets := func() secret.Reader { return secretsmanager.NewFromConfig(cfg) }
	apiKey := secret.NewSource(secret.FromManager(secrets, c.APIKeySecretID, secret.Text), time.Now)
	embedder, err := embedding.New(c.Embedder, embedding.Deps{Bedrock: bedrockruntime.NewFromConfig(cfg), APIKey: apiKey.Get})
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	db := dynamo.New(cfg)
	meter := metrics.New(os.Stdout, c.MetricsNamespace, time.Now)
	rows := ledger.New(db, c.Tables, time.Now).Metered(meter)
	starter := &workflow.Starter{Client: sfn.NewFromConfig(cfg), StateMachineARN: c.StateMachineARN}
	runner := &workflow.Runner{
		Ledger:   rows,
		Launcher: &workflow.Launcher{Starter: starter, Ledger: rows},
		Work:     &workflow.Embeddings{Content: content.NewStore(db, c.Content, time.Now), Embedder: embedder},
		Log:      log,
		Meter:    meter,
	}
	lambda.Start(runner.Handle)
}
