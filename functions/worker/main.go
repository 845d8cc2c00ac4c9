// Command worker is the Lambda function that carries requests from the queues
// to their commit.
package main

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gitlabenv"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Worker]) (any, error) {
	c, cfg, log, meter := env.Config, env.AWS, env.Log, env.Meter
	fetcher, err := gitlabenv.NewClient(c.GitLab, env, env.Meter)
	if err != nil {
		return nil, err
	}
	model, err := vectorspace.Of(c.EmbedderKind, c.EmbedderModel)
	if err != nil {
		return nil, err
	}
	db := dynamo.New(cfg, meter.TableThrottled)
	store, rows := content.NewStore(db, c.Content, time.Now).EmbeddedBy(model), ledger.New(db, c.Tables, time.Now).Metered(meter)
	launcher := &workflow.Launcher{
		Starter: &workflow.Starter{Client: awsapi.NewStepFunctions(awsenv.Patient(cfg)), StateMachineARN: c.StateMachineARN}, Ledger: rows,
	}
	queues := awsapi.NewSQS(cfg)
	engine := &worker.Engine{
		DB: db, Ledger: rows, Content: store, Fetch: fetcher.Fetch, Project: fetcher.ShowsProject, Launch: launcher.Launch,
		Deliveries: func(ctx context.Context) (waiting, received int, err error) {
			return queue.Depth(ctx, queues, c.RequestsQueueURL)
		},
		Allows: c.Projects.Allows, Clock: time.Now, Jitter: jitter, Room: room.New(surgical.MaxWorkerBytes), Log: log, Meter: meter,
	}
	batch := &worker.Batch{
		Process: engine.Process,
		Queue: &queue.Consumer{
			Client: queues, QueueURLs: []string{c.RequestsQueueURL, c.HidesQueueURL, c.BulkQueueURL}, DeadLetterURL: c.DeadLetterQueueURL,
		},
		Clock: time.Now, Log: log, Meter: meter,
		NewTrace: trace.Source(crand.Reader),
	}
	return batch.Handle, nil
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
