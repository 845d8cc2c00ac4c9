// Command builder is the Lambda function that rebuilds and compacts the search index. The
// indexer starts it; it can do all that the indexer does.
package main

import (
	"context"

	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/indexenv"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Search]) (any, error) {
	return indexenv.Handler(env, nil)
}
