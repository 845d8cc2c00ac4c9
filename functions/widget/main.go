// Command widget is the Lambda function behind the custom widget of the
// CloudWatch dashboard: it shows the run ledger.
package main

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Widget]) (any, error) {
	widget, err := console.NewWidget(ledger.New(dynamo.New(env.AWS, env.Meter.TableThrottled), env.Config.Tables, time.Now), env.Config.Projects.Allows, time.Now, env.Log)
	if err != nil {
		return nil, err
	}
	return widget.Handle, nil
}
