package search_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// arriving is a source and the content of so many issues, each with one document.
type arriving struct{ n int }

func (arriving) Now(context.Context) (search.Position, error) { return search.Position{}, nil }

func (a arriving) After(_ context.Context, from search.Position, limit int) (search.Changed, error) {
	var at int
	_, _ = fmt.Sscan(from.Cursor, &at) // "" is the beginning
	end := min(at+limit, a.n)
	changed := search.Changed{To: search.Position{Cursor: fmt.Sprint(end)}, More: end < a.n}
	for ; at < end; at++ {
		changed.Refs = append(changed.Refs, surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: int64(at + 1)}})
	}
	return changed, nil
}

func (arriving) VisibleDocumentsWithTexts(_ context.Context, ref surgical.EntityRef, _ content.DocumentSet, _ string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	d := content.Document{Document: surgical.Document{ID: "entity", Text: "a text", Hash: ref.Key()}, Revision: 1}
	if wanted(d) {
		take(d, content.Embeddings{}, nil)
	}
	return content.ShownDocuments{Head: surgical.Head{Ref: ref, Revision: 1}, Documents: []content.Document{d}}, nil
}

// behind is an engine that counts what is behind its base, and joins it as the engines do.
type behind struct {
	search.Engine
	at                        search.Position
	batches, documents, bases int
	// most are the greatest numbers that a process would have had to add before its first
	// answer.
	mostBatches, mostDocuments int
}

func (b *behind) Position(context.Context) (search.Position, string, error) { return b.at, "", nil }

func (*behind) Known(context.Context, []surgical.EntityRef) (map[surgical.EntityRef]search.Entry, error) {
	return nil, nil
}

func (b *behind) Apply(_ context.Context, _, to search.Position, changes []search.Change) error {
	b.at = to
	b.batches++
	b.documents += len(changes)
	b.mostBatches, b.mostDocuments = max(b.mostBatches, b.batches), max(b.mostDocuments, b.documents)
	return nil
}

func (b *behind) Maintain(context.Context) (due bool, err error) {
	return b.documents > surgical.MaxBatchedDocuments || b.batches >= surgical.MaxIndexBatches, nil
}

func (b *behind) Compact(context.Context) error {
	b.batches, b.documents = 0, 0
	b.bases++
	return nil
}

// A search that starts during a backfill loads the base and what is behind it. With all of
// a backfill behind it, that would take longer than the search may.
func TestIndexer_LeavesLittleBehindTheBaseDuringABackfill(t *testing.T) {
	documents := 100_000
	if testing.Short() {
		documents /= 5
	}
	engine := &behind{}
	source := arriving{n: documents}
	indexer := &search.Indexer{Engine: engine, Source: source, Content: source, Log: slog.New(slog.DiscardHandler)}
	if err := indexer.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d documents: %d bases, at most %d batches with %d documents behind one", documents, engine.bases, engine.mostBatches, engine.mostDocuments)
	if engine.mostBatches > surgical.MaxIndexBatches || engine.mostDocuments > surgical.MaxBatchedDocuments+100 || engine.bases < documents/surgical.MaxBatchedDocuments-2 {
		t.Errorf("want at most %d batches with some %d documents", surgical.MaxIndexBatches, surgical.MaxBatchedDocuments)
	}
	if engine.at.Cursor != fmt.Sprint(documents) {
		t.Errorf("the index ends at %s", engine.at.Cursor)
	}
}
