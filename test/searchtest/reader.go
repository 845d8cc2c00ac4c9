package searchtest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// reader shows of the copies what the product's rules let readers with the policy see. It
// reads in the order of [content.Reader]: documents first, and the heads last.
type reader struct {
	*copies
	policy surgical.Policy
}

func (r reader) sight(ref surgical.EntityRef) surgical.Sight {
	return surgical.Sight{HiddenAt: r.hiddenAt[ref.ProjectID], Confidential: r.policy}
}

// head fails if the entity is not shown.
func (r reader) head(ref surgical.EntityRef) (surgical.Head, error) {
	head := r.entities[ref].head
	if shown, why := surgical.Visible(head, r.sight(ref)); !shown {
		return surgical.Head{Ref: ref}, surgical.Concealed(ref, why)
	}
	return head, nil
}

// shown leaves out the documents that are not shown of an entity that is.
func (r reader) shown(head surgical.Head, documents []content.Document) []content.Document {
	return slices.DeleteFunc(documents, func(d content.Document) bool {
		return d.Revision == 0 || !r.sight(head.Ref).ShowsDocument(head, d.Revision, d.Confidential)
	})
}

// VisibleDocumentsOf implements finder.Truth.
func (r reader) VisibleDocumentsOf(_ context.Context, ids map[surgical.EntityRef][]string) (map[surgical.EntityRef]content.ShownDocuments, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sometimes()
	found := map[surgical.EntityRef][]content.Document{}
	for ref, documents := range ids {
		for _, id := range documents {
			if d, ok := r.entities[ref].documents[id]; ok {
				if d.Long() {
					d.Text = ""
				}
				found[ref] = append(found[ref], d)
			}
		}
	}
	r.sometimes()
	all := map[surgical.EntityRef]content.ShownDocuments{}
	for ref := range ids {
		if head, err := r.head(ref); err == nil {
			all[ref] = content.ShownDocuments{Head: head, Documents: r.shown(head, found[ref])}
		}
	}
	return all, nil
}

// VisibleHead implements finder.Truth.
func (r reader) VisibleHead(_ context.Context, ref surgical.EntityRef) (surgical.Head, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sometimes()
	return r.head(ref)
}

// VisibleDocument implements finder.Truth.
func (r reader) VisibleDocument(_ context.Context, ref surgical.EntityRef, id string) (content.Document, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sometimes()
	d := r.entities[ref].documents[id]
	r.sometimes()
	head, err := r.head(ref)
	if err != nil || len(r.shown(head, []content.Document{d})) == 0 {
		return content.Document{}, err
	}
	return d, nil
}

// VisibleDocumentsWithTexts implements search.Content.
func (r reader) VisibleDocumentsWithTexts(_ context.Context, ref surgical.EntityRef, of content.DocumentSet, model string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entities[ref]
	documents := slices.Collect(maps.Values(e.documents))
	documents = slices.DeleteFunc(documents, func(d content.Document) bool { return !of.Has(d.ID) })
	embeddings := maps.Clone(e.embeddings)
	for i, d := range documents {
		if !wanted(d) {
			continue
		}
		r.sometimes()
		documents[i] = e.documents[d.ID]
		embedded := embeddings[d.ID]
		var vectors map[string]content.Vector
		if embedded.Model == model && embedded.DocumentHash == documents[i].Hash {
			vectors = vectorsOf(documents[i], embedded)
		}
		take(documents[i], embedded, vectors)
	}
	r.sometimes()
	head, err := r.head(ref)
	return content.ShownDocuments{Head: head, Documents: r.shown(head, documents), Embeddings: embeddings}, err
}

// vectorsOf returns the vectors of a document by the hashes of its chunks.
func vectorsOf(d content.Document, embedded content.Embeddings) map[string]content.Vector {
	vectors := map[string]content.Vector{}
	for _, chunk := range render.Chunks(d.Document) {
		vectors[chunk.Hash] = content.Vector{Chunk: chunk.Hash, Revision: embedded.Revision, Model: embedded.Model, Values: Meaning(chunk.Text)}
	}
	return vectors
}

// changes has what changed in the order of the changes: a feed, which begins anew after each
// restart.
type changes struct {
	restarts int
	log      []feed.Entry
}

// add tells the feed of a change of the document, or with "" of the head.
func (f *changes) add(ref surgical.EntityRef, document string) {
	f.log = append(f.log, feed.Entry{Ref: ref, Document: document})
}

func (f *changes) restart() { *f = changes{restarts: f.restarts + 1} }

// cursor is where the feed has so many entries.
func (f *changes) cursor(entries int) string { return fmt.Sprint(f.restarts, " ", entries) }

// Now implements search.Source.
func (r reader) Now(context.Context) (search.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return search.Position{Cursor: r.feed.cursor(len(r.feed.log))}, nil
}

// After implements search.Source.
func (r reader) After(_ context.Context, from search.Position, limit int) (search.Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var restarts, at int
	if _, err := fmt.Sscan(from.Cursor, &restarts, &at); err != nil || restarts != r.feed.restarts {
		return search.Changed{}, search.ErrRestarted
	}
	end := min(at+limit, len(r.feed.log))
	to := from
	to.Cursor = r.feed.cursor(end)
	changed := search.ChangedBy(r.feed.log[at:end])
	changed.To, changed.More = to, end < len(r.feed.log)
	return changed, nil
}
