package content

import (
	"context"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ShownDocuments are documents of an entity that is shown, with their embeddings by
// document id.
type ShownDocuments struct {
	Head       surgical.Head
	Documents  []Document
	Embeddings map[string]Embeddings
}

// VisibleDocuments returns the entity's documents that are shown, without their texts, ordered
// by id.
func (r *Reader) VisibleDocuments(ctx context.Context, ref surgical.EntityRef) (ShownDocuments, error) {
	documents, err := r.store.Documents(ctx, ref)
	if err != nil {
		return ShownDocuments{}, err
	}
	return r.shown(ctx, ref, documents)
}

// VisibleDocumentsAfter reads documents with their texts, ordered by id, starting after the
// given one, as long as fits accepts them, and returns those that are shown. last is the
// last one that was read; more reports whether fits refused one after it.
func (r *Reader) VisibleDocumentsAfter(ctx context.Context, ref surgical.EntityRef, after string, fits func(Document) bool) (page ShownDocuments, last string, more bool, err error) {
	var documents []Document
	for document, err := range r.store.DocumentsAfter(ctx, ref, after) {
		if err != nil {
			return ShownDocuments{}, "", false, err
		}
		if more = !fits(document); more {
			break
		}
		documents, last = append(documents, document), document.ID
	}
	if page, err = r.shown(ctx, ref, documents); err != nil {
		return ShownDocuments{}, "", false, err
	}
	return page, last, more, nil
}

// shown reads the head last: it may hide some of the documents, which were read before.
func (r *Reader) shown(ctx context.Context, ref surgical.EntityRef, documents []Document) (ShownDocuments, error) {
	ids := make([]string, len(documents))
	for i, d := range documents {
		ids[i] = d.ID
	}
	embeddings, err := r.store.Embeddings(ctx, ref, ids)
	if err != nil {
		return ShownDocuments{}, err
	}
	head, err := r.store.Head(ctx, ref)
	if err != nil {
		return ShownDocuments{}, err
	}
	sight, err := r.visible(ctx, head)
	if err != nil {
		return ShownDocuments{}, err
	}
	page := ShownDocuments{head, shownOf(documents, head, sight), map[string]Embeddings{}}
	for _, d := range page.Documents {
		if e, embedded := embeddings[d.ID]; embedded {
			page.Embeddings[d.ID] = e
		}
	}
	return page, nil
}

// shownOf leaves out the documents that are not shown.
func shownOf(documents []Document, head surgical.Head, sight surgical.Sight) []Document {
	var shown []Document
	for _, d := range documents {
		if sight.ShowsDocument(head, d.Revision, d.Confidential) {
			shown = append(shown, d)
		}
	}
	return shown
}
