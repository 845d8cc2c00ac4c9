// Command docs is the Lambda function that regenerates a run's documents. It embeds a small
// change, and closes the run if nothing is left of it.
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
	"gitlab.com/lorehook/lorehook/internal/surgical"
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
	store := content.NewStore(db, c.Content, time.Now)
	runner := &workflow.Runner{
		Ledger:   rows,
		Launcher: &workflow.Launcher{Starter: starter, Ledger: rows},
		Work: &workflow.Documents{
			Content: store, Embeddings: &workflow.Embeddings{Content: store, Embedder: embedder},
			Small: surgical.SmallChange, Clock: time.Now, Log: env.Log,
		},
		Log:   env.Log,
		Meter: env.Meter,
	}
	return runner.Handle, nil
}
