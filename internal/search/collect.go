package search

import (
	"context"
	"fmt"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Content is what an index is made of: what readers see.
type Content interface {
	// VisibleDocumentsWithTexts lists documents of the entity without their texts, and hands
	// those that wanted accepts to take, as [content.Reader.VisibleDocumentsWithTexts] does.
	// Of an entity that is not shown, the error has [surgical.CodeEntityGone] or
	// [surgical.CodeEntityNotFound].
	VisibleDocumentsWithTexts(ctx context.Context, ref surgical.EntityRef, of content.DocumentSet, model string, wanted func(content.Document) bool,
		take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error)
}

// collector reads what an index has to change about an entity.
type collector struct {
	content Content
	// model is that of the vectors to collect; "" collects none.
	model string
	// read, unless it is nil, is called with each document that was read. It is safe for
	// concurrent use.
	read func(Document)
}

// change returns how the entry has to change to be what readers see of the entity now;
// false if not at all. An entry that does not exist has no documents. Of an entry that
// exists, only the documents of the set may differ. A document that the entry has
// with the same hash and vectors is not read.
func (c collector) change(ctx context.Context, ref surgical.EntityRef, of content.DocumentSet, known Entry, exists bool) (Change, bool, error) {
	if !exists || known.Unsettled {
		of = content.DocumentSet{}
	}
	shown, read, err := c.differing(ctx, ref, of, known)
	if err == nil && !of.All() && shown.Head.DocumentsVisibleFrom > 0 {
		// The head may hide documents that did not change.
		of = content.DocumentSet{}
		shown, read, err = c.differing(ctx, ref, of, known)
	}
	if concealed(err) {
		return Change{Ref: ref, Gone: true}, exists, nil
	}
	if err != nil {
		return Change{}, false, fmt.Errorf("collect %s: %w", ref, err)
	}
	change := Change{Ref: ref, Facets: FacetsOf(shown.Head)}
	still := map[string]bool{}
	for _, d := range shown.Documents {
		still[d.ID] = true
		put, changed := read[d.ID]
		if put.Model != "" && !shown.Embeddings[d.ID].Current(shown.Head, put.Hash) {
			put.Model, put.Vectors = "", nil
		}
		have := known.Documents[d.ID]
		if changed && (have.Hash != put.Hash || have.Model != put.Model) {
			change.Put = append(change.Put, put)
		}
	}
	for id := range known.Documents {
		if !still[id] && of.Has(id) {
			change.Removed = append(change.Removed, id)
		}
	}
	slices.Sort(change.Removed)
	differs := !exists || len(change.Put) > 0 || len(change.Removed) > 0 || !known.Equal(change.Facets)
	return change, differs, nil
}

// differing returns the documents of the set that are shown, and those of them that the entry
// does not have like this, as they were read.
func (c collector) differing(ctx context.Context, ref surgical.EntityRef, of content.DocumentSet, known Entry) (content.ShownDocuments, map[string]Document, error) {
	read := map[string]Document{}
	shown, err := c.content.VisibleDocumentsWithTexts(ctx, ref, of, c.model,
		func(d content.Document) bool {
			have := known.Documents[d.ID]
			return have.Hash != d.Hash || have.Model != c.model
		},
		func(d content.Document, _ content.Embeddings, vectors map[string]content.Vector) {
			read[d.ID] = c.document(d, vectors)
			if c.read != nil {
				c.read(read[d.ID])
			}
		})
	return shown, read, err
}

// concealed reports whether an entity is not shown.
func concealed(err error) bool {
	if err == nil {
		return false
	}
	code := surgical.CodeOf(err)
	return code == surgical.CodeEntityGone || code == surgical.CodeEntityNotFound
}

// document is a document for the index, with its vectors if there is one of the model for
// each chunk: otherwise it is being embedded again, and words find it until then.
func (c collector) document(stored content.Document, vectors map[string]content.Vector) Document {
	chunks := render.Chunks(stored.Document)
	d := Document{ID: stored.ID, Indexed: Indexed{Hash: stored.Hash, Chunks: len(chunks)}, Texts: make([]string, len(chunks))}
	for i, chunk := range chunks {
		d.Texts[i] = chunk.Text
	}
	if c.model == "" || vectors == nil {
		return d
	}
	d.Vectors = make([][]float32, len(chunks))
	for i, chunk := range chunks {
		vector, ok := vectors[chunk.Hash]
		if !ok || vector.Model != c.model {
			d.Vectors = nil
			return d
		}
		if HasDirection(vector.Values) {
			d.Vectors[i] = vector.Values
		}
	}
	d.Model = c.model
	return d
}
