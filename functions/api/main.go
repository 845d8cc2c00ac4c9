// Command api is the Lambda function behind the manual HTTP API.
package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/invoke"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.API]) (any, error) {
	handler, err := api.New(options(env))
	if err != nil {
		return nil, err
	}
	return gateway.Adapt(handler), nil
}

// options wires the API.
func options(env function.Env[config.API]) api.Options {
	c, db := env.Config, dynamo.New(env.AWS, env.Meter.TableThrottled)
	functions := awsapi.NewLambda(awsenv.Patient(env.AWS))
	queues := awsapi.NewSQS(env.AWS)
	rows := ledger.New(db, c.Tables, time.Now).Metered(env.Meter)
	var allowed []int64 // every project
	if !c.Projects.All() {
		allowed = c.Projects.IDs()
	}
	return api.Options{
		Runs:         rows,
		Projects:     rows,
		Passes:       rows,
		Standing:     rows,
		Crawl:        invoke.Starter(functions, c.CrawlerFunction),
		Search:       ask(awsapi.NewLambda(awsenv.Awaiting(env.AWS, surgical.SearchTimeout)), c.SearchFunction),
		Index:        manifest.NewStore(db, c.State),
		StartIndexer: invoke.Starter(functions, c.IndexerFunction),
		Content:      content.NewStore(db, c.Content, time.Now).ForReaders(rows.ProjectHiddenAt, c.Confidential),
		Eraser:       erasure.New(db, c.Content, rows, time.Now),
		Reconciles:   c.ReconcileInterval(),
		Feed:         feed.NewStore(db, c.Feed, time.Now),
		Queue:        queue.NewSender(queues, c.RequestsQueueURL),
		Gauges:       gauges(queues, c),
		Allows:       c.Projects.Allows,
		Allowed:      allowed,
		Clock:        time.Now,
		NewKey:       rand.Text,
		Log:          env.Log,
		RequestID:    func(r *http.Request) string { return gateway.RequestID(r.Context()) },
		NewTrace:     trace.Source(rand.Reader),
	}
}

// gauges are the queues that the status shows.
func gauges(client *awsapi.SQS, c config.API) []api.Gauge {
	of := func(name, url string) api.Gauge {
		return api.Gauge{Name: name, Depth: func(ctx context.Context) (int, int, error) { return queue.Depth(ctx, client, url) }}
	}
	return []api.Gauge{
		of("requests", c.RequestsQueueURL), of("hides", c.HidesQueueURL), of("bulk", c.BulkQueueURL),
		of("dead-letters", c.DeadLetterQueueURL), of("feed-failures", c.FeedFailuresQueueURL),
	}
}

// ask has a query answered by the search function.
func ask(client *awsapi.Lambda, function string) func(context.Context, search.Query) (search.Answer, error) {
	return func(ctx context.Context, q search.Query) (search.Answer, error) {
		var reply search.Reply
		if err := invoke.Answer(ctx, client, function, q, &reply); err != nil {
			return search.Answer{}, err
		}
		return reply.Result()
	}
}
