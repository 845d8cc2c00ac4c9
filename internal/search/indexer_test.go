package search_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// hashing is an embedder of earlier versions, which knew no meaning.
type hashing struct{ fakeembedder.Words }

func (hashing) Model() string { return "lexical/fnv-512/v1" }

func (h hashing) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := h.Words.Embed(ctx, texts)
	for i := range vectors {
		vectors[i] = append(vectors[i], make([]float32, 512-len(vectors[i]))...)
	}
	return vectors, err
}

// What a stack has embedded with another model is found by words, until the next runs of
// its entities embed it again.
func TestIndexer_FusesVectorsOfItsModelOnly(t *testing.T) {
	db, tables := fakedynamodb.New()
	w := cloud.NewWorld(t, db.Client(), tables)
	issue, model := fakegitlab.IssueRef(7), fakeembedder.Words{}
	sync := func(e embedding.Embedder) {
		t.Helper()
		w.EmbedWith(e, nil)
		w.Clock.Advance(time.Hour)
		w.Sync(w.Request(surgical.OriginManual, issue))
		w.Drive()
	}
	find := func(searched *cloudsearch.Search) search.Answer {
		t.Helper()
		if err := searched.Manifests.RequestRebuild(t.Context(), w.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		if err := searched.Index(t.Context()); err != nil {
			t.Fatal(err)
		}
		answer, err := searched.Find(t.Context(), search.Query{Text: "issue", Limit: 10})
		if err != nil || len(answer.Hits) != 1 || answer.Hits[0].Head.Ref != issue {
			t.Fatalf("found %+v, %v", answer.Hits, err)
		}
		return answer
	}
	of := func(e embedding.Embedder) *cloudsearch.Search {
		s := cloudsearch.New(t, w, func() surgical.Policy { return surgical.Exclude })
		s.Embedder = e
		return s
	}

	sync(hashing{})
	if a := find(of(nil)); a.Mode != search.Lexical || a.Model != "" || a.Reason == "" {
		t.Errorf("without a model: %s, %q, %q", a.Mode, a.Model, a.Reason)
	}
	with := of(model)
	if a := find(with); a.Mode != search.Lexical || a.Model != "" || a.Reason == "" {
		t.Errorf("before anything is embedded again: %s, %q, %q", a.Mode, a.Model, a.Reason)
	}
	sync(model)
	if a := find(with); a.Mode != search.Hybrid || a.Model != model.Model() || a.Reason != "" {
		t.Errorf("embedded again: %s, %q, %q", a.Mode, a.Model, a.Reason)
	}
}

// looks is an engine that says how often it was looked at. It has followed everything.
type looks struct {
	search.Engine
	n    int
	look func()
}

func (l *looks) Position(context.Context) (search.Position, string, error) {
	l.n++
	l.look()
	return search.Position{}, "", nil
}

func (l *looks) Known(context.Context, []surgical.EntityRef) (map[surgical.EntityRef]search.Entry, error) {
	return nil, nil
}
func (l *looks) Apply(context.Context, search.Position, search.Position, []search.Change) error {
	return nil
}
func (l *looks) Maintain(context.Context) (bool, error) { return false, nil }

// still is a source without changes.
type still struct{}

func (still) Now(context.Context) (search.Position, error) { return search.Position{}, nil }
func (still) After(context.Context, search.Position, int) (search.Changed, error) {
	return search.Changed{}, nil
}

func TestIndexer_WorksAloneAndLooksAgainForThoseThatCameMeanwhile(t *testing.T) {
	db, tables := fakedynamodb.New()
	turns := manifest.NewStore(db.Client(), tables.State)
	engine := &looks{}
	indexer := &search.Indexer{Engine: engine, Source: still{}, Log: slog.New(slog.DiscardHandler)}
	started := 0
	engine.look = func() {
		if started++; started > 3 {
			return
		}
		if err := indexer.Handle(t.Context(), turns.Turn(time.Now)); err != nil {
			t.Error(err)
		}
	}
	if err := indexer.Handle(t.Context(), turns.Turn(time.Now)); err != nil {
		t.Fatal(err)
	}
	if engine.n != 4 {
		t.Errorf("looked %d times, want once, and once more for each of the three that came during a look", engine.n)
	}
	if mine, err := turns.Turn(time.Now).Begin(t.Context()); err != nil || !mine {
		t.Errorf("the turn is still taken: %v", err)
	}
}
