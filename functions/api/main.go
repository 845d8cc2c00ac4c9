// Command api is the Lambda function behind the manual HTTP API.
package main

import (
	"crypto/rand"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
)

func main() {
	c, err := config.Load[config.API]()
	log := logs.Function(c.LogLevel)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	cfg := awsenv.Config()
	db := dynamo.New(cfg)
	handler, err := api.New(api.Options{
		Runs:      ledger.New(db, c.Tables, time.Now).Metered(metrics.New(os.Stdout, c.MetricsNamespace, time.Now)),
		Content:   content.NewStore(db, c.Content, time.Now),
		Queue:     queue.NewSender(sqs.NewFromConfig(cfg), c.RequestsQueueURL),
		Allows:    c.Projects.Allows,
		Clock:     time.Now,
		NewKey:    rand.Text,
		Log:       log,
		RequestID: func(r *http.Request) string { return gateway.RequestID(r.Context()) },
		NewTrace:  trace.Source(rand.Reader),
	})
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	lambda.Start(gateway.Adapt(handler))
}
