// Command abort is the Lambda function that postpones or ends a run whose workflow failed.
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
	abort := &workflow.Abort{Setbacks: &workflow.Setbacks{Ledger: rows, Clock: time.Now}, Log: env.Log, Meter: env.Meter}
	return abort.Handle, nil
}
