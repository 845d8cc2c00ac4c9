// Command search is the Lambda function that answers queries from the search index.
package main

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/embedderenv"
	"gitlab.com/lorehook/lorehook/internal/function/searchenv"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Search]) (any, error) {
	c, db := env.Config, dynamo.New(env.AWS, env.Meter.TableThrottled)
	rows := ledger.New(db, c.Tables, time.Now)
	embedder, err := embedderenv.New(c.Embedder, env)
	if err != nil {
		return nil, err
	}
	words, err := language.New(c.Language)
	if err != nil {
		return nil, err
	}
	var model string
	var embed search.Embedder
	if embedder != nil {
		model, embed = embedder.Model(), embedding.Query(embedder)
	}
	engine, err := searchenv.Engine(env, model, embed)
	if err != nil {
		return nil, err
	}
	f := &finder.Finder{Engine: engine, Truth: content.NewStore(db, c.Content, time.Now).ForReaders(rows.ProjectHiddenAt, c.Confidential), Words: words}
	return func(ctx context.Context, q search.Query) (search.Reply, error) {
		ctx, cancel := duration.Reserve(ctx, surgical.AnswerReserve)
		defer cancel()
		began := time.Now()
		reply := search.ReplyOf(f.Find(ctx, q))
		attrs := []any{"duration_ms", time.Since(began).Milliseconds(), "hits", len(reply.Answer.Hits), "mode", reply.Answer.Mode}
		if reply.Failure != nil {
			env.Log.WarnContext(ctx, "search", append(attrs, "code", reply.Failure.Code, "error", reply.Failure.Error())...)
		} else {
			env.Log.InfoContext(ctx, "search", attrs...)
		}
		return reply, nil
	}, nil
}
