// Command docs is the Lambda function that regenerates a run's documents.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
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
	cfg := awsenv.Config()
	db := dynamo.New(cfg)
	meter := metrics.New(os.Stdout, c.MetricsNamespace, time.Now)
	rows := ledger.New(db, c.Tables, time.Now).Metered(meter)
	starter := &workflow.Starter{Client: sfn.NewFromConfig(cfg), StateMachineARN: c.StateMachineARN}
	runner := &workflow.Runner{
		Ledger:   rows,
		Launcher: &workflow.Launcher{Starter: starter, Ledger: rows},
		Work:     &workflow.Documents{Content: content.NewStore(db, c.Content, time.Now)},
		Log:      log,
		Meter:    meter,
	}
	return runner.Handle, nil
}
