// Command embed is the Lambda function that embeds what a run regenerated.
package main

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/embedderenv"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Stage]) (any, error) {
	c, db := env.Config, dynamo.New(env.AWS, env.Meter.TableThrottled)
	embedder, err := embedderenv.New(c.Embedder, env)
	if err != nil {
		return nil, err
	}
	rows := ledger.New(db, c.Tables, time.Now).Metered(env.Meter)
	starter := &workflow.Starter{Client: awsapi.NewStepFunctions(awsenv.Patient(env.AWS)), StateMachineARN: c.StateMachineARN}
	runner := &workflow.Runner{
		Ledger:   rows,
		Launcher: &workflow.Launcher{Starter: starter, Ledger: rows},
		Work:     &workflow.Embeddings{Content: content.NewStore(db, c.Content, time.Now), Embedder: embedder},
		Log:      env.Log,
		Meter:    env.Meter,
	}
	return runner.Handle, nil
}
