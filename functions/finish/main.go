// Command finish is the Lambda function that ends a run whose jobs are all done.
package main

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Workflow]) (any, error) {
	rows := ledger.New(dynamo.New(env.AWS, env.Meter.TableThrottled), env.Config.Tables, time.Now).Metered(env.Meter)
	finish := &workflow.Finish{Ledger: rows, Log: env.Log}
	return finish.Handle, nil
}
