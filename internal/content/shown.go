package content

import (
	"context"
	"maps"
	"slices"
	"strings"

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

// VisibleDocumentsWithTexts is [Reader.VisibleDocuments] of the documents of the set, for those
// who need a few texts: it hands the documents that wanted accepts to take, with their texts
// and embeddings, and with their vectors by the hashes of the chunks if these are of the model
// and of the document. What take received counts only if the document is in the result, which
// has the embeddings of no others: the head is read last, and may hide it.
func (r *Reader) VisibleDocumentsWithTexts(ctx context.Context, ref surgical.EntityRef, of DocumentSet, model string, wanted func(Document) bool, take func(Document, Embeddings, map[string]Vector)) (ShownDocuments, error) {
	documents, embeddings, err := r.candidates(ctx, ref, of, wanted)
	if err != nil {
		return ShownDocuments{}, err
	}
	for i, d := range documents {
		if !wanted(d) {
			documents[i].Text = "" // those of a set come with theirs
			continue
		}
		if of.All() || d.Long() {
			if documents[i], err = r.store.Document(ctx, ref, d.ID); err != nil {
				return ShownDocuments{}, err
			}
		}
		whole, embedded := documents[i], embeddings[d.ID]
		var vectors map[string]Vector
		if embedded.Model == model && embedded.DocumentHash == whole.Hash {
			if vectors, err = r.store.Vectors(ctx, ref, d.ID); err != nil {
				return ShownDocuments{}, err
			}
		}
		take(whole, embedded, vectors)
		documents[i].Text = ""
	}
	documents = slices.DeleteFunc(documents, func(d Document) bool { return d.Revision == 0 }) // deleted in the meantime
	return r.under(ctx, ref, documents, embeddings)
}

// candidates returns the documents of the set with their texts, unless these are long, or all
// documents without their texts, ordered by id, with the embeddings of those that are wanted.
func (r *Reader) candidates(ctx context.Context, ref surgical.EntityRef, of DocumentSet, wanted func(Document) bool) ([]Document, map[string]Embeddings, error) {
	if !of.All() {
		batch, err := r.store.Batch(ctx, ref, of.ids)
		if err != nil {
			return nil, nil, err
		}
		byID := func(a, b Document) int { return strings.Compare(a.ID, b.ID) }
		return slices.SortedFunc(maps.Values(batch.Documents), byID), batch.Embeddings, nil
	}
	documents, err := r.store.Documents(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, d := range documents {
		if wanted(d) {
			ids = append(ids, d.ID)
		}
	}
	embeddings, err := r.store.Embeddings(ctx, ref, ids)
	return documents, embeddings, err
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
	return r.under(ctx, ref, documents, embeddings)
}

// under reads the head, and returns the documents that it shows.
func (r *Reader) under(ctx context.Context, ref surgical.EntityRef, documents []Document, embeddings map[string]Embeddings) (ShownDocuments, error) {
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
