package search_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// large is an index on which something is due that takes the memory for all of it.
type large struct {
	search.Engine
	rebuild              string
	compaction           bool
	known, maintained    error
	rebuilds, compacts   int
	applied, whileItDoes func()
}

func (l *large) Position(context.Context) (search.Position, string, error) {
	return search.Position{}, l.rebuild, nil
}

func (l *large) Known(context.Context, []surgical.EntityRef) (map[surgical.EntityRef]search.Entry, error) {
	return nil, l.known
}

func (l *large) Apply(context.Context, search.Position, search.Position, []search.Change) error {
	if l.applied != nil {
		l.applied()
	}
	return nil
}

func (l *large) Maintain(context.Context) (bool, error) { return l.compaction, l.maintained }

func (l *large) Compact(context.Context) error {
	l.compacts++
	l.compaction = false
	l.works()
	return nil
}

func (l *large) Rebuild(context.Context, search.Position, iter.Seq2[search.Change, error]) error {
	l.rebuilds++
	l.rebuild, l.known, l.maintained = "", nil, nil
	l.works()
	return nil
}

func (l *large) works() {
	if l.whileItDoes != nil {
		l.whileItDoes()
	}
}

// changed is a source of one change, of so many bytes.
type changed struct {
	still
	err   error
	bytes int
}

func (c changed) After(context.Context, search.Position, int) (search.Changed, error) {
	return search.Changed{Refs: []surgical.EntityRef{{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 1}}}}, c.err
}

func (c changed) VisibleDocumentsWithTexts(ctx context.Context, ref surgical.EntityRef, _ content.DocumentSet, _ string, _ func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	d := content.Document{Document: surgical.Document{ID: "entity", Text: strings.Repeat("word ", c.bytes/5), Hash: "h"}, Revision: 1}
	take(d, content.Embeddings{}, nil)
	return content.ShownDocuments{Head: surgical.Head{Ref: ref, Revision: 1}, Documents: []content.Document{d}}, ctx.Err()
}

// indexers are one with a builder, and the builder.
type indexers struct {
	follower, builder *search.Indexer
	turns             *manifest.Store
	now               time.Time
	// starts counts those of the builder, and fails is what they return.
	starts int
	fails  error
}

func newIndexers(engine search.Engine, c changed) *indexers {
	db, tables := fakedynamodb.New()
	s := &indexers{turns: manifest.NewStore(db.Client(), tables.State), now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}
	both := search.Indexer{Engine: engine, Source: c, Content: c, Log: slog.New(slog.DiscardHandler)}
	builder, follower := both, both
	follower.Builder = func(context.Context) error { s.starts++; return s.fails }
	s.builder, s.follower = &builder, &follower
	return s
}

func (s *indexers) turn() *manifest.Turn {
	return s.turns.Turn(func() time.Time { return s.now })
}

// dues is everything that takes the memory for all of an index.
func dues() map[string]func(*large, *changed) {
	return map[string]func(*large, *changed){
		"a rebuild":                  func(l *large, _ *changed) { l.rebuild = "requested" },
		"a source that restarted":    func(_ *large, c *changed) { c.err = search.ErrRestarted },
		"a damaged catalog":          func(l *large, _ *changed) { l.known = search.ErrDamaged },
		"a damaged object":           func(l *large, _ *changed) { l.maintained = search.ErrDamaged },
		"a compaction":               func(l *large, _ *changed) { l.compaction = true },
		"a change of too many bytes": func(_ *large, c *changed) { c.bytes = 2 * surgical.MaxFollowedBytes },
	}
}

// The builder finds the turn free, and does what was due.
func TestIndexer_LeavesWhatIsLargeToTheBuilder(t *testing.T) {
	for name, due := range dues() {
		t.Run(name, func(t *testing.T) {
			engine, c := &large{}, changed{bytes: 10}
			due(engine, &c)
			s := newIndexers(engine, c)
			if err := s.follower.Handle(t.Context(), s.turn()); err != nil {
				t.Fatal(err)
			}
			if s.starts != 1 || engine.rebuilds+engine.compacts > 0 {
				t.Fatalf("the builder was started %d times, after %d rebuilds and %d compactions", s.starts, engine.rebuilds, engine.compacts)
			}
			applied := 0
			engine.applied = func() { applied++ }
			if err := s.builder.Handle(t.Context(), s.turn()); err != nil {
				t.Fatal(err)
			}
			if engine.rebuilds+engine.compacts+applied == 0 {
				t.Error("the builder did nothing")
			}
		})
	}
}

func TestIndexer_FollowsWithoutTheBuilderIfNothingIsLarge(t *testing.T) {
	engine, applied := &large{}, 0
	engine.applied = func() { applied++ }
	s := newIndexers(engine, changed{bytes: surgical.MaxFollowedBytes - 100})
	if err := s.follower.Handle(t.Context(), s.turn()); err != nil || s.starts != 0 || applied != 1 {
		t.Errorf("%d starts of the builder, %d batches, %v", s.starts, applied, err)
	}
}

// While the builder works, others neither work nor start another one, and it looks again at
// what came in the meantime.
func TestIndexer_StartsNoBuilderWhileOneWorks(t *testing.T) {
	engine := &large{rebuild: "requested"}
	s := newIndexers(engine, changed{bytes: 10})
	applied := 0
	engine.applied = func() { applied++ }
	engine.whileItDoes = func() {
		engine.rebuild = "requested"
		for range 3 {
			if err := s.follower.Handle(t.Context(), s.turn()); err != nil {
				t.Error(err)
			}
		}
		engine.rebuild = ""
	}
	if err := s.builder.Handle(t.Context(), s.turn()); err != nil {
		t.Fatal(err)
	}
	if s.starts != 0 || applied != 1 {
		t.Errorf("%d starts of a builder, %d batches behind the rebuild", s.starts, applied)
	}
}

// If the builder cannot be started, or dies, what was due is found again.
func TestIndexer_StartsTheBuilderAgainUntilItDidWhatWasDue(t *testing.T) {
	engine := &large{compaction: true}
	s := newIndexers(engine, changed{bytes: 10})
	s.fails = errors.New("throttled")
	if err := s.follower.Handle(t.Context(), s.turn()); !errors.Is(err, s.fails) {
		t.Errorf("the start that failed: %v", err)
	}
	s.fails = nil
	for n := range 2 { // the first builder never comes
		if err := s.follower.Handle(t.Context(), s.turn()); err != nil || s.starts != n+2 {
			t.Errorf("%d starts, %v", s.starts, err)
		}
	}
	if err := s.builder.Handle(t.Context(), s.turn()); err != nil || engine.compacts != 1 {
		t.Errorf("%d compactions, %v", engine.compacts, err)
	}
	if err := s.follower.Handle(t.Context(), s.turn()); err != nil || s.starts != 3 {
		t.Errorf("%d starts, %v", s.starts, err)
	}
}

// An indexer that needs more memory than it has dies, and would die again.
func TestIndexer_LeavesWhatAnotherDiedOfToTheBuilder(t *testing.T) {
	engine := &large{}
	s := newIndexers(engine, changed{bytes: 10})
	engine.applied = func() { t.Error("it tried the same again") }
	if mine, err := s.turn().Begin(t.Context()); err != nil || !mine {
		t.Fatal(mine, err)
	}
	s.now = s.now.Add(surgical.IndexerTurn)
	if err := s.follower.Handle(t.Context(), s.turn()); err != nil || s.starts != 1 {
		t.Errorf("%d starts of the builder, %v", s.starts, err)
	}
	applied := 0
	engine.applied = func() { applied++ }
	for name, indexer := range map[string]*search.Indexer{"the builder": s.builder, "the next one": s.follower} {
		if err := indexer.Handle(t.Context(), s.turn()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if applied != 2 || s.starts != 1 {
		t.Errorf("%d batches, %d starts of the builder", applied, s.starts)
	}
}

// A builder that is started earlier finds the turn taken, and ends.
func TestIndexer_StartsTheBuilderOnceItsTurnIsGivenBack(t *testing.T) {
	s := newIndexers(&large{compaction: true}, changed{bytes: 10})
	s.follower.Builder = func(ctx context.Context) error {
		mine, err := s.turn().Begin(ctx)
		if err == nil && !mine {
			err = errors.New("the turn is still taken")
		}
		return err
	}
	if err := s.follower.Handle(t.Context(), s.turn()); err != nil {
		t.Error(err)
	}
}
