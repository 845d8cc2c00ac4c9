// Package cloudsearch is the search of the simulated cloud: the embedded engine on a bucket
// in memory.
package cloudsearch

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

// Search is the search of one world. Its engine is made when it is needed first, and another
// one when the policy changes, as a deploy does.
type Search struct {
	t         testing.TB
	world     *cloud.World
	policy    func() surgical.Policy
	Manifests *manifest.Store
	// Objects is the bucket.
	Objects *fakes3.Bucket
	// Embedder has the model of the vectors; it is set before the first use, and nil if
	// there is none.
	Embedder embedding.Embedder

	mu      sync.Mutex
	engines map[surgical.Policy]*embedded.Engine
}

// New returns a search of what the world stores, as readers with the policy see it.
func New(t testing.TB, w *cloud.World, policy func() surgical.Policy) *Search {
	return &Search{
		t: t, world: w, policy: policy, Manifests: manifest.NewStore(w.DB, w.Tables.State), Objects: fakes3.New(w.Clock.Now),
		engines: map[surgical.Policy]*embedded.Engine{},
	}
}

// engine returns the engine of the present policy.
func (s *Search) engine() *embedded.Engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	policy := s.policy()
	if engine := s.engines[policy]; engine != nil {
		return engine
	}
	options := embedded.Options{
		Manifests: s.Manifests, Objects: bucket.New(s.Objects.Client(), "index"), Dir: s.t.TempDir(), Language: language.Default,
		Confidential: policy, Clock: s.world.Clock.Now, Log: slog.New(slog.DiscardHandler),
	}
	if s.Embedder != nil {
		options.Model, options.Embed = s.Embedder.Model(), embedding.Query(s.Embedder)
	}
	engine, err := embedded.New(options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = engine.Close() })
	s.engines[policy] = engine
	return engine
}

// Restart replaces the process of search and indexer: the next one has nothing in memory.
func (s *Search) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.engines)
}

// Index runs the indexer. Changes that the feed does not have are found by the first run
// only.
func (s *Search) Index(ctx context.Context) error {
	w, engine := s.world, s.engine()
	indexer := &search.Indexer{
		Engine: engine, Model: engine.Model, Source: search.FeedSource{Store: feed.NewStore(w.DB, w.Tables.Feed, w.Clock.Now)},
		Content: w.Content.ForReaders(w.Ledger.ProjectHiddenAt, s.policy()), Walk: search.WalkOf(w.Ledger, w.Content), Log: slog.New(slog.DiscardHandler),
	}
	err := indexer.Run(ctx)
	w.Clock.Advance(time.Minute) // every engine reads the manifest again
	return err
}

// Find answers a query, like the search function.
func (s *Search) Find(ctx context.Context, q search.Query) (search.Answer, error) {
	words, err := language.New(language.Default)
	if err != nil {
		return search.Answer{}, err
	}
	w := s.world
	f := &finder.Finder{Engine: s.engine(), Truth: w.Content.ForReaders(w.Ledger.ProjectHiddenAt, s.policy()), Words: words}
	return search.ReplyOf(f.Find(ctx, q)).Result()
}
