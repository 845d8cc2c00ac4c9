// Command sweeper is the Lambda function that cleans up after crashes every
// minute.
package main

import (
	"context"
	"crypto/rand"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Sweeper]) (any, error) {
	c, db, client := env.Config, dynamo.New(env.AWS, env.Meter.TableThrottled), awsapi.NewSQS(env.AWS)
	rows := ledger.New(db, c.Tables, time.Now).Metered(env.Meter)
	starter := &workflow.Starter{Client: awsapi.NewStepFunctions(awsenv.Patient(env.AWS)), StateMachineARN: c.StateMachineARN}
	store := content.NewStore(db, c.Content, time.Now)
	sweeper := &sweep.Sweeper{
		Ledger:   rows,
		Content:  store,
		Launcher: &workflow.Launcher{Starter: starter, Ledger: rows},
		Setbacks: &workflow.Setbacks{Ledger: rows, Clock: time.Now},
		Eraser:   erasure.New(db, c.Content, rows, time.Now),
		Requests: queue.NewSender(client, c.RequestsQueueURL), Bulk: queue.NewSender(client, c.BulkQueueURL),
		Allows: c.Projects.Allows, Clock: time.Now, Log: env.Log,
		NewTrace: trace.Source(rand.Reader),
	}
	return sweeper.Handle, nil
}
