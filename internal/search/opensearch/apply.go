package opensearch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ours reports whether the manifest names an index in OpenSearch.
func ours(m manifest.Manifest) bool { return m.Exists() && m.Format == manifest.OpenSearch }

// swap replaces the manifest.
func (e *Engine) swap(ctx context.Context, read, next manifest.Manifest) (manifest.Manifest, error) {
	next.Format = manifest.OpenSearch
	return e.Manifests.Swap(ctx, read, next)
}

// maxTakeovers is how often a position is read again because another indexer ended in
// between.
const maxTakeovers = 20

// Position implements [search.Engine]. If another indexer has begun to write, and not
// ended, it takes over: nothing that the other one still sends is accepted any more.
func (e *Engine) Position(ctx context.Context) (search.Position, string, error) {
	requested, err := e.Manifests.Requested(ctx)
	if err != nil {
		return search.Position{}, "", err
	}
	for range maxTakeovers {
		m, err := e.Manifests.Read(ctx)
		if err != nil {
			return search.Position{}, "", err
		}
		if why := m.Outdated(requested, manifest.OpenSearch, e.Language, e.Model, e.Confidential); why != "" {
			return search.Position{}, why, nil
		}
		if m.Open != nil {
			m, err = e.takeOver(ctx, m)
		}
		switch {
		case noIndex(err):
			return search.Position{}, "the index is missing", nil
		case errors.Is(err, search.ErrMoved):
			continue
		case err != nil:
			return search.Position{}, "", fmt.Errorf("take over from another indexer: %w", err)
		}
		return search.PositionOf(m), "", nil
	}
	return search.Position{}, "", search.ErrMoved
}

// takeOver raises the versions of all catalogs that the open writer may have read, and
// then closes it.
func (e *Engine) takeOver(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	e.Log.WarnContext(ctx, "index_writer_replaced", "entities", len(m.Open.Entities))
	for range maxTakeovers {
		catalogs, err := e.catalogs(ctx, e.client, m.Index, m.Open.Entities)
		if err != nil {
			return m, err
		}
		err = e.writeCatalogs(ctx, m.Index, e.Clock(), catalogs)
		if errors.Is(err, search.ErrMoved) {
			continue // the other one goes on: read again what it wrote
		}
		if err != nil {
			return m, err
		}
		next := m
		next.Open = nil
		next.Edition++
		return e.swap(ctx, m, next)
	}
	return m, search.ErrMoved
}

// writeCatalogs writes the catalogs under the versions that follow those that were read.
// If anybody else wrote one in between, the error is [search.ErrMoved].
func (e *Engine) writeCatalogs(ctx context.Context, index string, began time.Time, catalogs map[string]versioned) error {
	w := e.writer(index, began)
	for _, key := range slices.Sorted(maps.Keys(catalogs)) {
		c := catalogs[key]
		o, err := put(key, c.Version+1, newer, c.document())
		if err != nil {
			return err
		}
		if err := w.add(ctx, o); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// Apply implements [search.Engine]. See the package for its steps. A part of the changes
// may be visible although it fails: none of them is older than what was there.
func (e *Engine) Apply(ctx context.Context, from, to search.Position, changes []search.Change) error {
	began := e.Clock()
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	if !ours(m) || m.Edition != from.Edition || m.Cursor != from.Cursor || m.Open != nil {
		return search.ErrMoved
	}
	if len(changes) > 0 {
		if m, err = e.write(ctx, m, began, changes); err != nil {
			return damage(err)
		}
	}
	next := m
	next.Cursor, next.AsOf, next.Open = to.Cursor, max(m.AsOf, to.AsOf.UnixMicro()), nil
	_, err = e.swap(ctx, m, next)
	return err
}

// write writes the changes, and returns the manifest that names this writer.
func (e *Engine) write(ctx context.Context, m manifest.Manifest, began time.Time, changes []search.Change) (manifest.Manifest, error) {
	keys := make([]string, len(changes))
	for i, change := range changes {
		keys[i] = change.Ref.Key()
	}
	// Read before the manifest names this writer: an indexer that takes over raises the
	// versions after that, so they are higher than these.
	catalogs, err := e.catalogs(ctx, e.client, m.Index, keys)
	if err != nil {
		return m, err
	}
	next := m
	next.Edition++
	next.Open = &manifest.Open{Entities: keys}
	if m.RemovedAt == 0 {
		next.RemovedAt = began.UnixMicro()
	}
	if m, err = e.swap(ctx, m, next); err != nil {
		return m, err
	}
	if m.Dimensions == 0 {
		if first := dimensionsOf(changes); first > 0 {
			if m.Dimensions, err = e.addVectors(ctx, m.Index, first); err != nil {
				return m, err
			}
		}
	}
	return m, e.bring(ctx, m, began, changes, catalogs)
}

// dimensionsOf returns the length of the first vector; 0 if there is none.
func dimensionsOf(changes []search.Change) int {
	for _, change := range changes {
		for _, d := range change.Put {
			for _, vector := range d.Vectors {
				if search.HasDirection(vector) {
					return len(vector)
				}
			}
		}
	}
	return 0
}

// bring writes the changes of entities whose catalogs were read.
func (e *Engine) bring(ctx context.Context, m manifest.Manifest, began time.Time, changes []search.Change, catalogs map[string]versioned) error {
	claims := make(map[string]versioned, len(changes))
	for _, change := range changes {
		key := change.Ref.Key()
		claims[key] = versioned{catalogs[key].claimed(change), catalogs[key].Version}
	}
	if err := e.writeCatalogs(ctx, m.Index, began, claims); err != nil {
		return fmt.Errorf("claim entities: %w", err)
	}
	w := e.writer(m.Index, began)
	settled := make(map[string]versioned, len(changes))
	for _, change := range changes {
		key := change.Ref.Key()
		claim := versioned{claims[key].catalog, claims[key].Version + 1}
		if err := e.writeChunks(ctx, w, m, change, claim); err != nil {
			return fmt.Errorf("write the chunks of %s: %w", change.Ref, err)
		}
		settled[key] = versioned{claim.settled(change), claim.Version}
	}
	if err := w.flush(ctx); err != nil {
		return fmt.Errorf("write chunks: %w", err)
	}
	if err := e.writeCatalogs(ctx, m.Index, began, settled); err != nil {
		return fmt.Errorf("settle entities: %w", err)
	}
	return e.refresh(ctx, m.Index)
}

// claimed returns the catalog while the change is written.
func (c catalog) claimed(change search.Change) catalog {
	claim := catalog{Facets: c.Facets, Documents: maps.Clone(c.Documents), Unsettled: maps.Clone(c.Unsettled)}
	claim.Moving = c.Moving || c.Gone || !change.Gone && !c.Facets.Equal(change.Facets)
	if claim.Unsettled == nil {
		claim.Unsettled = map[string]int{}
	}
	unsettle := func(id string, chunks int) {
		claim.Unsettled[id] = max(c.chunksOf(id), chunks)
		delete(claim.Documents, id)
	}
	for _, d := range change.Put {
		unsettle(d.ID, len(d.Texts))
	}
	for _, id := range change.Removed {
		unsettle(id, 0)
	}
	if change.Gone {
		for id := range c.Documents {
			unsettle(id, 0)
		}
	}
	return claim
}

// settled returns the claimed catalog once the change is written.
func (c catalog) settled(change search.Change) catalog {
	if change.Gone {
		return catalog{Gone: true}
	}
	now := catalog{Facets: change.Facets, Documents: maps.Clone(c.Documents), Unsettled: maps.Clone(c.Unsettled)}
	if now.Documents == nil {
		now.Documents = map[string]search.Indexed{}
	}
	for _, d := range change.Put {
		now.Documents[d.ID] = d.Indexed
		delete(now.Unsettled, d.ID)
	}
	for _, id := range change.Removed {
		delete(now.Unsettled, id)
	}
	return now
}

// writeChunks writes the chunks that a change puts or removes, and those that only need
// other facets.
func (e *Engine) writeChunks(ctx context.Context, w *writer, m manifest.Manifest, change search.Change, claim versioned) error {
	removed := slices.Clone(change.Removed)
	if change.Gone {
		removed = slices.Sorted(maps.Keys(claim.Unsettled))
	}
	for _, id := range removed {
		if err := deleteChunks(ctx, w, change.Ref, id, 0, claim); err != nil {
			return err
		}
	}
	fields := filteredOf(change.Ref, change.Facets)
	for _, d := range change.Put {
		if err := putChunks(ctx, w, change.Ref, fields, d, m.Dimensions, claim.Version); err != nil {
			return err
		}
		if err := deleteChunks(ctx, w, change.Ref, d.ID, len(d.Texts), claim); err != nil {
			return err
		}
	}
	if change.Gone || !claim.Moving {
		return nil
	}
	var others []string
	for _, id := range slices.Sorted(maps.Keys(claim.Documents)) {
		for n := range claim.Documents[id].Chunks {
			others = append(others, idOf(change.Ref, id, n))
		}
	}
	for batch, err := range e.chunks(ctx, e.client, m.Index, others) {
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(batch)) {
			c := batch[id]
			c.filtered = fields
			if err := w.put(ctx, id, claim.Version, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) put(ctx context.Context, id string, version int64, c chunk) error {
	o, err := put(id, version, sameOrNewer, c)
	if err != nil {
		return err
	}
	return w.add(ctx, o)
}

// deleteChunks deletes the chunks that a document may have from the given one on.
func deleteChunks(ctx context.Context, w *writer, ref surgical.EntityRef, id string, from int, claim versioned) error {
	for n := from; n < claim.Unsettled[id]; n++ {
		if err := w.add(ctx, operation{ID: idOf(ref, id, n), Version: claim.Version, Accept: sameOrNewer}); err != nil {
			return err
		}
	}
	return nil
}

// putChunks writes the chunks of a document. A vector of another length is left out: the
// chunk is found by its words.
func putChunks(ctx context.Context, w *writer, ref surgical.EntityRef, fields filtered, d search.Document, dimensions int, version int64) error {
	for n, text := range d.Texts {
		c := chunk{Entity: ref.Key(), Document: d.ID, Chunk: n, Hash: d.Hash, Text: text, filtered: fields}
		if n < len(d.Vectors) && dimensions > 0 && len(d.Vectors[n]) == dimensions && search.HasDirection(d.Vectors[n]) {
			c.Vector = d.Vectors[n]
		}
		if err := w.put(ctx, idOf(ref, d.ID, n), version, c); err != nil {
			return err
		}
	}
	return nil
}
