// Command api is the Lambda function behind the manual HTTP API.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/api"
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
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.API]) (any, error) {
	c, db := env.Config, dynamo.New(env.AWS)
	functions := lambda.NewFromConfig(awsenv.Patient(env.AWS))
	rows := ledger.New(db, c.Tables, time.Now).Metered(env.Meter)
	var allowed []int64 // every project
	if !c.Projects.All() {
		allowed = c.Projects.IDs()
	}
	handler, err := api.New(api.Options{
		Runs:         rows,
		Projects:     rows,
		Passes:       rows,
		Crawl:        invoke.Starter(functions, c.CrawlerFunction),
		Search:       ask(functions, c.SearchFunction),
		Index:        manifest.NewStore(db, c.State),
		StartIndexer: invoke.Starter(functions, c.IndexerFunction),
		Content:      content.NewStore(db, c.Content, time.Now).ForReaders(rows.ProjectHiddenAt, c.Confidential),
		Eraser:       erasure.New(db, c.Content, rows, time.Now),
		Feed:         feed.NewStore(db, c.Feed, time.Now),
		Queue:        queue.NewSender(sqs.NewFromConfig(env.AWS), c.RequestsQueueURL),
		Allows:       c.Projects.Allows,
		Allowed:      allowed,
		Clock:        time.Now,
		NewKey:       rand.Text,
		Log:          env.Log,
		RequestID:    func(r *http.Request) string { return gateway.RequestID(r.Context()) },
		NewTrace:     trace.Source(rand.Reader),
	})
	if err != nil {
		return nil, err
	}
	return gateway.Adapt(handler), nil
}

// ask has a query answered by the search function.
func ask(client *lambda.Client, function string) func(context.Context, search.Query) (search.Answer, error) {
	return func(ctx context.Context, q search.Query) (search.Answer, error) {
		payload, err := json.Marshal(q)
		if err != nil {
			return search.Answer{}, fmt.Errorf("encode a query: %w", err)
		}
		out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
		if err != nil {
			return search.Answer{}, fmt.Errorf("invoke the search function: %w", err)
		}
		if out.FunctionError != nil {
			return search.Answer{}, fmt.Errorf("the search function failed: %s", *out.FunctionError)
		}
		var reply search.Reply
		if err := json.Unmarshal(out.Payload, &reply); err != nil {
			return search.Answer{}, fmt.Errorf("decode the answer of the search function: %w", err)
		}
		return reply.Result()
	}
}
