// Command feed is the Lambda function that writes the change feeds from the stream of the
// content table.
package main

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/invoke"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Feed]) (any, error) {
	store := feed.NewStore(dynamo.New(env.AWS, env.Meter.TableThrottled), env.Config.Feed, time.Now)
	consumer := &feed.Consumer{Store: store, Clock: time.Now, Log: env.Log,
		Changed: invoke.Starter(awsapi.NewLambda(env.AWS), env.Config.IndexerFunction)}
	return consumer.Handle, nil
}
