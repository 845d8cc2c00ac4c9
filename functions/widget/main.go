// Command widget is the Lambda function behind the custom widget of the
// CloudWatch dashboard: it shows the run ledger.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/ledger"
)

func main() {
	c, err := config.Load[config.Widget]()
	log := logs.Function(c.LogLevel)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	widget, err := console.NewWidget(ledger.New(dynamo.New(awsenv.Config()), c.Tables, time.Now), time.Now, log)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	lambda.Start(widget.Handle)
}
