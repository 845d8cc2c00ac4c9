// Command indexer is the Lambda function that lets the search index follow the changes. It
// starts the builder for what takes more memory.
package main

import (
	"context"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/indexenv"
	"gitlab.com/lorehook/lorehook/internal/function/invoke"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Indexer]) (any, error) {
	ofSearch := function.Env[config.Search]{Config: env.Config.Search, AWS: env.AWS, Log: env.Log, Meter: env.Meter}
	return indexenv.Handler(ofSearch, invoke.Starter(awsapi.NewLambda(env.AWS), env.Config.BuilderFunction))
}
