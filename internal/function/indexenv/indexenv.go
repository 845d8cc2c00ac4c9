// Package indexenv makes the functions that write the search index, indexer and builder,
// from their configuration.
package indexenv

import (
	"context"
	"encoding/json"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/searchenv"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
)

// Handler returns a function's handler. startBuilder is [search.Indexer.Builder]; nil for
// the builder itself.
func Handler(env function.Env[config.Search], startBuilder func(context.Context) error) (any, error) {
	c, db := env.Config, dynamo.New(env.AWS, env.Meter.TableThrottled)
	rows := ledger.New(db, c.Tables, time.Now)
	store := content.NewStore(db, c.Content, time.Now)
	// Only the name of the model counts here: the embed function makes the vectors.
	model, err := vectorspace.Of(c.Kind, c.Embedder.Model)
	if err != nil {
		return nil, err
	}
	engine, err := searchenv.Engine(env, model, nil)
	if err != nil {
		return nil, err
	}
	walk := search.WalkOf(rows, store)
	indexer := &search.Indexer{
		Engine: engine, Source: search.FeedSource{Store: feed.NewStore(db, c.Feed, time.Now)}, Content: store.ForReaders(rows.ProjectHiddenAt, c.Confidential), Walk: walk, Model: model,
		Builder: startBuilder, Log: env.Log,
	}
	turns := manifest.NewStore(db, c.State)
	return func(ctx context.Context, _ json.RawMessage) error { return indexer.Handle(ctx, turns.Turn(time.Now)) }, nil
}
