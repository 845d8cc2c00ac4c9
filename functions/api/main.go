// Command api is the Lambda function behind the manual HTTP API.
package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.API]) (any, error) {
	c, db := env.Config, dynamo.New(env.AWS)
	rows := ledger.New(db, c.Tables, time.Now).Metered(env.Meter)
	var allowed []int64 // every project
	if !c.Projects.All() {
		allowed = c.Projects.IDs()
	}
	handler, err := api.New(api.Options{
		Runs:      rows,
		Projects:  rows,
		Passes:    rows,
		Crawl:     crawl(lambda.NewFromConfig(env.AWS), c.CrawlerFunction),
		Content:   content.NewStore(db, c.Content, time.Now).ForReaders(rows.ProjectHiddenAt, c.Confidential),
		Eraser:    erasure.New(db, c.Content, rows, time.Now),
		Feed:      feed.NewStore(db, c.Feed, time.Now),
		Queue:     queue.NewSender(sqs.NewFromConfig(env.AWS), c.RequestsQueueURL),
		Allows:    c.Projects.Allows,
		Allowed:   allowed,
		Clock:     time.Now,
		NewKey:    rand.Text,
		Log:       env.Log,
		RequestID: func(r *http.Request) string { return gateway.RequestID(r.Context()) },
		NewTrace:  trace.Source(rand.Reader),
	})
	if err != nil {
		return nil, err
	}
	return gateway.Adapt(handler), nil
}

// crawl starts the crawler without waiting for it.
func crawl(client *lambda.Client, function string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeEvent})
		return err
	}
}
