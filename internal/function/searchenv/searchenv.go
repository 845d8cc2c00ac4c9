// Package searchenv makes a function's search engine from its configuration.
package searchenv

import (
	"fmt"
	"os"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
)

// Engine returns the configured engine. model is that of the vectors, "" for none, and
// embed returns the vector of a query; an indexer has none.
func Engine(env function.Env[config.Search], model string, embed search.Embedder) (search.Engine, error) {
	c := env.Config
	manifests := manifest.NewStore(dynamo.New(env.AWS, env.Meter.TableThrottled), c.State)
	objects := bucket.New(bucket.Client(awsenv.ForObjects(env.AWS)), c.Bucket)
	if c.OpenSearchEndpoint == "" {
		return embedded.New(embedded.Options{
			Manifests: manifests, Objects: objects, Dir: os.TempDir(),
			Language: c.Language, Model: model, Confidential: c.Confidential, Embed: embed, Resembling: vectorspace.Resembling(model), Clock: time.Now, Log: env.Log,
		})
	}
	endpoint, err := opensearch.ParseEndpoint(c.OpenSearchEndpoint)
	if err != nil {
		return nil, fmt.Errorf("LOREHOOK_OPENSEARCH_ENDPOINT: %w", err)
	}
	return opensearch.New(opensearch.Options{
		Endpoint: endpoint, HTTP: awsenv.ForObjects(env.AWS).HTTPClient, Credentials: env.AWS.Credentials,
		Manifests: manifests, Name: c.OpenSearchIndex, Objects: objects,
		Language: c.Language, Model: model, Confidential: c.Confidential, Embed: embed, Resembling: vectorspace.Resembling(model), Clock: time.Now, Log: env.Log,
	})
}
