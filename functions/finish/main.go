// Command finish is the Lambda function that ends a run whose jobs are all done.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() {
	c, err := config.Load[config.Stage]()
	log := logs.Function(c.LogLevel)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	rows := ledger.New(dynamo.New(awsenv.Config()), c.Tables, time.Now).
		Metered(metrics.New(os.Stdout, c.MetricsNamespace, time.Now))
	finish := &workflow.Finish{Ledger: rows, Log: log}
	lambda.Start(finish.Handle)
}
