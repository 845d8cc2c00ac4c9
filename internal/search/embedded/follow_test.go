package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/memory"
)

// changing is a source and the content of issues that change one after another: each gets a
// text of so many bytes.
type changing struct {
	*opened
	first, n, bytes int
}

func (changing) Now(context.Context) (search.Position, error) {
	return search.Position{}, errors.New("the index is rebuilt")
}

func (c changing) After(_ context.Context, from search.Position, limit int) (search.Changed, error) {
	var at int
	_, _ = fmt.Sscan(from.Cursor, &at)
	if at < c.first {
		at = c.first
	}
	end := min(at+limit, c.first+c.n)
	changed := search.Changed{To: search.Position{Cursor: fmt.Sprint(end), AsOf: c.now}, More: end < c.first+c.n}
	for ; at < end; at++ {
		changed.Refs = append(changed.Refs, issue(at))
	}
	return changed, nil
}

func (c changing) VisibleDocumentsWithTexts(_ context.Context, ref surgical.EntityRef, _ content.DocumentSet, model string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	random := rand.New(rand.NewPCG(uint64(ref.Target.IID), 9))
	d := content.Document{Document: surgical.Document{ID: "entity", Text: memory.Prose(random, c.bytes), Hash: strings.Repeat("f", 64)}, Revision: 1}
	embedded := content.Embeddings{DocumentHash: d.Hash, Revision: 1}
	vectors := map[string]content.Vector{}
	for _, chunk := range render.Chunks(d.Document) {
		vectors[chunk.Hash] = content.Vector{Model: model, Values: c.vector(random)}
	}
	if wanted(d) {
		take(d, embedded, vectors)
	}
	return content.ShownDocuments{Head: surgical.Head{Ref: ref, Revision: 1}, Documents: []content.Document{d}, Embeddings: map[string]content.Embeddings{d.ID: embedded}}, nil
}

// followAll follows changes of many issues, one of about as many bytes as an indexer
// follows, and one of more, first in a process that has seen no index and then behind
// another base.
func followAll(ctx context.Context, o *opened) error {
	o.Dimensions = vectorspace.TitanDimensions
	first := 1
	for range 2 {
		for _, c := range []struct {
			issues, bytes int
			left          bool
		}{
			{min(o.Entities/20, 3_000), 1_500, false},
			{1, surgical.MaxFollowedBytes / 8, false},
			{1, surgical.MaxFollowedBytes, true},
		} {
			changes := changing{o, first, c.issues, c.bytes}
			left := false
			indexer := &search.Indexer{
				Engine: o.engine, Source: changes, Content: changes, Model: largeModel, Log: slog.New(slog.DiscardHandler),
				Builder: func(context.Context) error { left = true; return nil },
			}
			if err := indexer.Run(ctx); err != nil || left != c.left {
				return fmt.Errorf("%d changes of %d bytes are left to the builder: %t, %w", c.issues, c.bytes, left, err)
			}
			if !left {
				first += c.issues
			}
		}
		if err := o.replace(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Of the largest index, an indexer with a builder has the catalog only, whatever changes.
func TestEngine_IsFollowedWithinTheIndexersMemoryAtItsEnd(t *testing.T) {
	c := largeIndex{Dir: t.TempDir(), Entities: 400, Dimensions: 8, Apart: true}
	if memory.Full() {
		c.Entities = 300_000
	}
	memory.Within(t, "rebuild", surgical.IndexMemory, c)
	memory.Within(t, "follow", surgical.IndexerMemory, c)
}
