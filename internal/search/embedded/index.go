package embedded

import (
	"context"
	"errors"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Position implements [search.Engine].
func (e *Engine) Position(ctx context.Context) (search.Position, string, error) {
	m, requested, err := e.Manifests.ReadAll(ctx)
	if err != nil {
		return search.Position{}, "", err
	}
	if why := m.Outdated(requested, manifest.Embedded, e.Language, e.Model, e.Confidential); why != "" {
		return search.Position{}, why, nil
	}
	e.follow(m)
	return search.PositionOf(m), "", nil
}

// follow keeps the manifest for what comes behind its position, instead of reading it
// again. If others replace it, what is written under it fails.
func (e *Engine) follow(m manifest.Manifest) {
	e.knowing.Lock()
	defer e.knowing.Unlock()
	e.followed = m
}

// at returns the manifest with the position.
func (e *Engine) at(ctx context.Context, from search.Position) (manifest.Manifest, error) {
	e.knowing.Lock()
	m := e.followed
	e.knowing.Unlock()
	if m.Exists() && isAt(m, from) {
		return m, nil
	}
	m, err := e.Manifests.Read(ctx)
	if err == nil && !isAt(m, from) {
		err = search.ErrMoved
	}
	return m, err
}

// takeFollowed returns the manifest that the last position or change left, once, and otherwise
// reads it.
func (e *Engine) takeFollowed(ctx context.Context) (manifest.Manifest, error) {
	e.knowing.Lock()
	m := e.followed
	e.followed = manifest.Manifest{}
	e.knowing.Unlock()
	if m.Exists() {
		return m, nil
	}
	return e.Manifests.Read(ctx)
}

// isAt reports whether nothing was applied since the position.
func isAt(m manifest.Manifest, p search.Position) bool {
	return m.Edition == p.Edition && m.Cursor == p.Cursor
}

// Known implements [search.Engine].
func (e *Engine) Known(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]search.Entry, error) {
	e.knowing.Lock()
	defer e.knowing.Unlock()
	if err := e.know(ctx); err != nil {
		return nil, err
	}
	known := make(map[surgical.EntityRef]search.Entry, len(refs))
	for _, ref := range refs {
		if entry, ok := e.known.catalog.of(ref); ok {
			known[ref] = entry
		}
	}
	return known, nil
}

// know brings the catalog of the indexer up to date with the manifest of its position.
func (e *Engine) know(ctx context.Context) error {
	m := e.followed
	if !m.Exists() {
		var err error
		if m, err = e.Manifests.Read(ctx); err != nil {
			return err
		}
	}
	if !ours(m) {
		return search.ErrMoved
	}
	if !e.known.leadsTo(m) {
		e.known = nil // two of them take twice the memory
		var err error
		e.known, err = e.current(ctx, m, catalogOnly)
		return err
	}
	lacking, err := e.batchesAfter(ctx, m, e.known.number)
	for err == nil && len(lacking) > 0 {
		lacking, err = e.add(ctx, e.known, lacking, applyAtOnce)
	}
	if err != nil {
		e.known = nil
	}
	return err
}

// ours reports whether the manifest names an index of this engine.
func ours(m manifest.Manifest) bool { return m.Exists() && m.Format == manifest.Embedded }

// Apply implements [search.Engine].
func (e *Engine) Apply(ctx context.Context, from, to search.Position, changes []search.Change) error {
	m, err := e.at(ctx, from)
	if err != nil {
		return err
	}
	next := m
	next.Cursor, next.AsOf = to.Cursor, max(m.AsOf, to.AsOf.UnixMicro())
	if len(changes) == 0 {
		next, err = e.swap(ctx, m, next)
	} else {
		next, err = e.append(ctx, m, next, changes)
	}
	if err != nil {
		next = manifest.Manifest{} // it is read again
	}
	e.follow(next)
	return err
}

// append adds the changes as a batch, and returns the manifest that names it.
func (e *Engine) append(ctx context.Context, m, next manifest.Manifest, changes []search.Change) (manifest.Manifest, error) {
	body, err := packed(slices.Values(changes))
	if err != nil {
		return m, err
	}
	object, err := e.put(ctx, "batch", body)
	if err != nil {
		return m, err
	}
	next.Edition++
	batch := manifest.Batch{
		Object: object, Number: m.Last + 1, AsOf: next.AsOf, At: e.Clock().UnixMicro(),
		Documents: documentsOf(changes), Removes: e.removes(changes),
	}
	named, err := e.Manifests.Append(ctx, m, e.successor(m, next), batch)
	if err != nil {
		return m, e.discard(ctx, err, object)
	}
	return named, e.learn(m, batch, changes)
}

// learn adds a batch that this engine wrote behind the manifest to the catalog that it
// compares with.
func (e *Engine) learn(m manifest.Manifest, b manifest.Batch, changes []search.Change) error {
	e.knowing.Lock()
	defer e.knowing.Unlock()
	if !e.known.leadsTo(m) || e.known.number != m.Last {
		return nil
	}
	return e.known.advance(b, changes)
}

func documentsOf(changes []search.Change) int {
	n := 0
	for _, change := range changes {
		n += len(change.Put) + len(change.Removed)
		if change.Gone {
			n++
		}
	}
	return n
}

// removes reports whether any of the changes removes or replaces text.
func (e *Engine) removes(changes []search.Change) bool {
	e.knowing.Lock()
	defer e.knowing.Unlock()
	return e.known == nil || slices.ContainsFunc(changes, e.known.catalog.removes)
}

// swap replaces the manifest. What it no longer names retires.
func (e *Engine) swap(ctx context.Context, read, next manifest.Manifest) (manifest.Manifest, error) {
	return e.Manifests.Swap(ctx, read, e.successor(read, next))
}

// successor returns what replaces a manifest: without anything of OpenSearch, and with what
// retires.
func (e *Engine) successor(read, next manifest.Manifest) manifest.Manifest {
	next.Format, next.Index, next.Dimensions, next.Open, next.RemovedAt, next.FlushedAt = manifest.Embedded, "", 0, nil, 0, 0
	next.Replace(read, e.Clock())
	return next
}

// discard deletes objects that lost: nothing names them. If the swap failed without
// saying whether it was applied, they are left to [Engine.sweep].
func (e *Engine) discard(ctx context.Context, cause error, objects ...manifest.Object) error {
	if !errors.Is(cause, search.ErrMoved) {
		return cause
	}
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = o.Key
	}
	if err := e.Objects.Delete(ctx, keys...); err != nil {
		e.Log.WarnContext(ctx, "index_object_left", "error", err.Error())
	}
	return cause
}
