package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

const (
	// backfillDocuments arrive, documentsOfOne with each entity. Each is a chunk of
	// backfillWords words: what counts here is how many there are.
	backfillDocuments = 100_000
	documentsOfOne    = 5
	backfillWords     = 20
)

// backfilled measures queries while an indexer adds the documents of a backfill and joins
// them with the base again and again. Indexer and queries take turns: a query is sent
// whenever the indexer is about to write an object, be it a batch or a part of a base in
// the middle of a compaction. So no figure depends on how many processors are idle.
func backfilled(ctx context.Context, dir string) ([]figure, error) {
	now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	s := newSearched(dir, func() time.Time { return now })
	reader, err := s.engine(s.bucket())
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	var during, quiet []time.Duration
	answered := 0
	query := func(took *[]time.Duration) {
		now = now.Add(time.Second) // so that the manifest is read again
		began := processor()
		if _, err := s.ask(ctx, reader, s.wanted()); err == nil {
			answered++
		}
		*took = append(*took, processor()-began)
	}
	began := processor()
	if err := s.index(ctx, func() { query(&during) }); err != nil {
		return nil, err
	}
	whole := processor() - began
	answers := answered
	for range queries {
		query(&quiet)
	}
	m, err := s.store.Read(ctx)
	if err != nil {
		return nil, err
	}
	if m.Base.Documents+m.Pending.Documents != backfillDocuments || m.Last < backfillDocuments/1000 {
		return nil, fmt.Errorf("the backfill ended with %d and %d documents", m.Base.Documents, m.Pending.Documents)
	}
	var reading time.Duration
	for _, took := range during {
		reading += took
	}
	name := "search during a backfill of 100,000 documents: "
	return []figure{
		newFigure(name+"queries that are answered", float64(answers), "queries", float64(len(during)), 0).atLeast(1),
		newFigure(name+"a query, p95; floor: afterwards", milliseconds(percentile95(during)), "ms of processor", milliseconds(percentile95(quiet)), 150),
		newFigure(name+"batches that were added", float64(m.Last), "batches", 0, 0),
		newFigure(name+"indexing, compactions included", (whole - reading).Seconds(), "s of processor", 0, 0),
	}, nil
}

// index lets an indexer follow the backfill to its end. writing is called before it writes
// an object, once there is an index.
func (s *searched) index(ctx context.Context, writing func()) error {
	exists := false
	objects := bucket.New(s.objects.Client(cloud.InterceptAPI("s3", func(_ context.Context, call cloud.Call, send func() error) error {
		if exists && call.Operation == "PutObject" {
			writing()
		}
		return send()
	})), "index")
	engine, err := s.engine(objects)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }()
	if err := engine.Rebuild(ctx, search.Position{Cursor: "0", AsOf: s.clock()}, func(func(search.Change, error) bool) {}); err != nil {
		return err
	}
	exists = true
	source := arrivals{}
	indexer := &search.Indexer{Engine: engine, Source: source, Content: source, Model: model, Log: slog.New(slog.DiscardHandler)}
	return indexer.Run(ctx)
}

// arrivals is a source of changes, and the content that they are about.
type arrivals struct{}

// Now implements [search.Source].
func (arrivals) Now(context.Context) (search.Position, error) { return search.Position{}, nil }

// After implements [search.Source].
func (arrivals) After(_ context.Context, from search.Position, limit int) (search.Changed, error) {
	var at int64
	if _, err := fmt.Sscan(from.Cursor, &at); err != nil {
		return search.Changed{}, err
	}
	const entities = backfillDocuments / documentsOfOne
	end := min(at+int64(limit), entities)
	changed := search.Changed{To: search.Position{Cursor: fmt.Sprint(end)}, More: end < entities}
	for ; at < end; at++ {
		changed.Refs = append(changed.Refs, surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: at + 1}})
	}
	return changed, nil
}

// VisibleDocumentsWithTexts implements [search.Content].
func (arrivals) VisibleDocumentsWithTexts(_ context.Context, ref surgical.EntityRef, _ content.DocumentSet, _ string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	shown := content.ShownDocuments{Head: surgical.Head{Ref: ref, Revision: 1}, Embeddings: map[string]content.Embeddings{}}
	for n := range documentsOfOne {
		id := fmt.Sprint("discussion#", n)
		d := content.Document{Document: surgical.Document{ID: id, Hash: ref.Key() + id}, Revision: 1}
		shown.Documents = append(shown.Documents, d)
		if !wanted(d) {
			continue
		}
		l := newLibrary(uint64(ref.IID*documentsOfOne + int64(n)))
		d.Text = l.text(backfillWords)
		vectors := map[string]content.Vector{}
		for _, chunk := range render.Chunks(d.Document) {
			vectors[chunk.Hash] = content.Vector{Chunk: chunk.Hash, Model: model, Values: l.vector()}
		}
		shown.Embeddings[id] = content.Embeddings{DocumentID: id, DocumentHash: d.Hash, Revision: 1, Model: model}
		take(d, shown.Embeddings[id], vectors)
	}
	return shown, nil
}
