// Command api is the Lambda function behind the manual HTTP API.
package main

import (
	"crypto/rand"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
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
		RequestID: requestID,
		NewTrace:  trace.Source(rand.Reader),
	})
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	lambda.Start(api.Gateway(handler))
}

// requestID is the gateway's, the one that its access log names.
func requestID(r *http.Request) string {
	gateway, _ := core.GetAPIGatewayV2ContextFromContext(r.Context())
	return gateway.RequestID
}
