package embedded

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// catalog is what the index knows of each entity, by its key.
type catalog map[string]*entry

// entry is an entity of the catalog, and a line of its object.
type entry struct {
	Key string `json:"k"`
	search.Facets
	Documents map[string]search.Indexed `json:"d"`

	ref surgical.EntityRef
}

// readCatalog reads the catalog of a base.
func (e *Engine) readCatalog(ctx context.Context, o manifest.Object) (catalog, error) {
	c := catalog{}
	if err := unpack(ctx, e, o, func(line entry) { c[line.Key] = &line }); err != nil {
		return nil, err
	}
	for key, line := range c {
		var err error
		if line.ref, err = surgical.ParseEntityRef(key); err != nil {
			return nil, fmt.Errorf("read the catalog of the index: %w", err)
		}
	}
	return c, nil
}

// sorted yields the entities in the order of their keys.
func (c catalog) sorted() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, key := range slices.Sorted(maps.Keys(c)) {
			if !yield(c[key]) {
				return
			}
		}
	}
}

// documents yields the documents in the order of the vectors.
func (c catalog) documents() iter.Seq2[*entry, string] {
	return func(yield func(*entry, string) bool) {
		for e := range c.sorted() {
			for _, id := range slices.Sorted(maps.Keys(e.Documents)) {
				if !yield(e, id) {
					return
				}
			}
		}
	}
}

// sizes returns how many entities, documents and chunks there are.
func (c catalog) sizes() (entities, documents, chunks int) {
	for _, e := range c {
		documents += len(e.Documents)
		for _, d := range e.Documents {
			chunks += d.Chunks
		}
	}
	return len(c), documents, chunks
}

// of returns what is known of an entity, as package search has it.
func (c catalog) of(ref surgical.EntityRef) (search.Entry, bool) {
	e, ok := c[ref.Key()]
	if !ok {
		return search.Entry{}, false
	}
	return search.Entry{Facets: e.Facets, Documents: maps.Clone(e.Documents)}, true
}

// dropped is a document whose chunks have to go.
type dropped struct {
	entity   string
	document string
	chunks   int
}

// apply changes the catalog, and returns what was there of the documents that it
// removed or replaced.
func (c catalog) apply(change search.Change) (was []dropped) {
	key := strings.Clone(change.Ref.Key())
	have := c[key]
	drop := func(id string) {
		if d, ok := have.Documents[id]; ok {
			was = append(was, dropped{key, id, d.Chunks})
			delete(have.Documents, id)
		}
	}
	if change.Gone {
		if have != nil {
			for _, id := range slices.Sorted(maps.Keys(have.Documents)) {
				drop(id)
			}
			delete(c, key)
		}
		return was
	}
	if have == nil {
		have = &entry{Key: key, ref: change.Ref, Documents: map[string]search.Indexed{}}
		c[key] = have
	}
	have.Facets = change.Facets
	for _, id := range change.Removed {
		drop(id)
	}
	for _, d := range change.Put {
		drop(d.ID)
		have.Documents[d.ID] = d.Indexed
	}
	return was
}

// removes reports whether a change removes or replaces a document.
func (c catalog) removes(change search.Change) bool {
	have := c[change.Ref.Key()]
	if have == nil {
		return false
	}
	for _, d := range change.Put {
		if _, replaced := have.Documents[d.ID]; replaced {
			return true
		}
	}
	return change.Gone || len(change.Removed) > 0
}
