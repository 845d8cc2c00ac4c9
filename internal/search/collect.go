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
	// VisibleDocuments lists the entity's documents without their texts, and what embeds
	// them. Of an entity that is not shown, the error has [surgical.CodeEntityGone] or
	// [surgical.CodeEntityNotFound].
	VisibleDocuments(ctx context.Context, ref surgical.EntityRef) (content.ShownDocuments, error)
	// VisibleDocument reads a document with its text; one that does not exist has
	// revision 0. VisibleVectors reads its vectors by the hashes of the chunks.
	VisibleDocument(ctx context.Context, ref surgical.EntityRef, id string) (content.Document, error)
	VisibleVectors(ctx context.Context, ref surgical.EntityRef, document string) (map[string]content.Vector, error)
}

// collector reads what an index has to change about an entity.
type collector struct {
	content Content
	// model is that of the vectors to collect; "" collects none.
	model string
}

// change returns how the entry has to change to be what readers see of the entity now;
// false if not at all. An entry that does not exist has no documents.
func (c collector) change(ctx context.Context, ref surgical.EntityRef, known Entry, exists bool) (Change, bool, error) {
	shown, err := c.content.VisibleDocuments(ctx, ref)
	if concealed(err) {
		return Change{Ref: ref, Gone: true}, exists, nil
	}
	if err != nil {
		return Change{}, false, err
	}
	change := Change{Ref: ref, Facets: FacetsOf(shown.Head)}
	still := map[string]bool{}
	for _, d := range shown.Documents {
		still[d.ID] = true
		have, indexed := known.Documents[d.ID]
		model := c.modelOf(shown, d)
		if indexed && have.Hash == d.Hash && have.Model == model {
			continue
		}
		put, ok, err := c.document(ctx, ref, d.ID, d.Hash, model)
		if err != nil {
			return Change{}, false, err
		}
		if ok {
			change.Put = append(change.Put, put)
		} else {
			still[d.ID] = false
		}
	}
	for id := range known.Documents {
		if !still[id] {
			change.Removed = append(change.Removed, id)
		}
	}
	slices.Sort(change.Removed)
	differs := !exists || len(change.Put) > 0 || len(change.Removed) > 0 || !known.Equal(change.Facets)
	return change, differs, nil
}

// concealed reports whether an entity is not shown.
func concealed(err error) bool {
	if err == nil {
		return false
	}
	code := surgical.CodeOf(err)
	return code == surgical.CodeEntityGone || code == surgical.CodeEntityNotFound
}

// modelOf returns the collector's model if the document's vectors are of it and current,
// otherwise "".
func (c collector) modelOf(shown content.ShownDocuments, d content.Document) string {
	if e := shown.Embeddings[d.ID]; c.model != "" && e.Model == c.model && e.Current(shown.Head, d.Hash) {
		return c.model
	}
	return ""
}

// document reads a document for the index; false if it changed since it was listed:
// then the change that comes after it will be followed as well.
func (c collector) document(ctx context.Context, ref surgical.EntityRef, id, hash, model string) (Document, bool, error) {
	stored, err := c.content.VisibleDocument(ctx, ref, id)
	if concealed(err) || err == nil && (stored.Revision == 0 || stored.Hash != hash) {
		return Document{}, false, nil
	}
	if err != nil {
		return Document{}, false, err
	}
	chunks := render.Chunks(stored.Document)
	d := Document{ID: id, Indexed: Indexed{Hash: hash, Chunks: len(chunks)}, Texts: make([]string, len(chunks))}
	for i, chunk := range chunks {
		d.Texts[i] = chunk.Text
	}
	if model == "" {
		return d, true, nil
	}
	vectors, err := c.content.VisibleVectors(ctx, ref, id)
	if concealed(err) {
		return Document{}, false, nil
	}
	if err != nil {
		return Document{}, false, fmt.Errorf("collect %s of %s: %w", id, ref, err)
	}
	d.Vectors = make([][]float32, len(chunks))
	for i, chunk := range chunks {
		vector, ok := vectors[chunk.Hash]
		if !ok || vector.Model != model {
			d.Vectors = nil // it is being embedded again; words find it until then
			return d, true, nil
		}
		if HasDirection(vector.Values) {
			d.Vectors[i] = vector.Values
		}
	}
	d.Model = model
	return d, true, nil
}
