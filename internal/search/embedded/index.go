package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Position implements [search.Engine].
func (e *Engine) Position(ctx context.Context) (search.Position, string, error) {
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return search.Position{}, "", err
	}
	requested, err := e.Manifests.Requested(ctx)
	if err != nil {
		return search.Position{}, "", err
	}
	if why := m.Outdated(requested, manifest.Embedded, e.Language, e.Model); why != "" {
		return search.Position{}, why, nil
	}
	return search.PositionOf(m), "", nil
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

// know brings the catalog of the indexer up to date.
func (e *Engine) know(ctx context.Context) error {
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	if !m.Exists() || m.Format != manifest.Embedded {
		return search.ErrMoved
	}
	if e.known != nil {
		if lacking, ok := e.known.lacking(m); ok {
			for len(lacking) > 0 {
				if lacking, err = e.add(ctx, e.known, lacking, applyAtOnce); err != nil {
					e.known = nil
					return err
				}
			}
			return nil
		}
	}
	e.known, err = e.current(ctx, m, catalogOnly)
	return err
}

// Apply implements [search.Engine].
func (e *Engine) Apply(ctx context.Context, from, to search.Position, changes []search.Change) error {
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	if m.Edition != from.Edition || m.Cursor != from.Cursor {
		return search.ErrMoved
	}
	next := m
	next.Cursor, next.AsOf = to.Cursor, max(m.AsOf, to.AsOf.UnixMicro())
	if len(changes) == 0 {
		_, err := e.swap(ctx, m, next)
		return err
	}
	body, err := packed(slices.Values(changes))
	if err != nil {
		return err
	}
	object, err := e.put(ctx, "batch", body)
	if err != nil {
		return err
	}
	next.Edition++
	next.Batches = append(slices.Clone(m.Batches), manifest.Batch{
		Object: object, Edition: next.Edition, AsOf: next.AsOf, At: e.Clock().UnixMicro(),
		Documents: documentsOf(changes), Removes: e.removes(changes),
	})
	if _, err := e.swap(ctx, m, next); err != nil {
		return e.discard(ctx, err, object)
	}
	return nil
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
	next.Format, next.Index, next.Dimensions, next.Open, next.RemovedAt, next.FlushedAt = manifest.Embedded, "", 0, nil, 0, 0
	next.Retired = slices.Clone(next.Retired)
	for _, o := range read.Named() {
		if !next.Names(o.Key) {
			next.Retire(e.Clock(), o)
		}
	}
	return e.Manifests.Swap(ctx, read, next)
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

// Rebuild implements [search.Engine].
func (e *Engine) Rebuild(ctx context.Context, at search.Position, changes iter.Seq2[search.Change, error]) error {
	began := e.Clock()
	requested, err := e.Manifests.Requested(ctx)
	if err != nil {
		return err
	}
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(e.dir, "rebuild-")
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := e.build(dir, changes)
	if err != nil {
		return err
	}
	defer s.close()
	base, err := e.store(ctx, s, dir)
	if err != nil {
		return err
	}
	return e.publish(ctx, base, began, func(now manifest.Manifest) (manifest.Manifest, bool) {
		next := now
		// Batches since the rebuild began may have what it read too early, so they are
		// added again behind it. Those before hold nothing new.
		base.Edition = now.Edition + 1
		base.AsOf = at.AsOf.UnixMicro()
		next.Base, next.Edition, next.Batches = base, base.Edition, nil
		for _, b := range now.Batches {
			if b.Edition > m.Edition {
				next.Edition++
				b.Edition = next.Edition
				next.Batches = append(next.Batches, b)
			}
		}
		if now.Exists() && now.Format == manifest.Embedded {
			next.Previous = &manifest.Previous{Base: now.Base, Batches: now.Batches, RemovedAt: began.UnixMicro()}
		}
		if now.Cursor == m.Cursor {
			next.Cursor, next.AsOf = at.Cursor, at.AsOf.UnixMicro()
		}
		next.Language, next.Model = e.Language, e.Model
		next.RebuiltFor = max(now.RebuiltFor, requested)
		return next, true
	})
}

// build indexes the changes from nothing.
func (e *Engine) build(dir string, changes iter.Seq2[search.Change, error]) (*state, error) {
	s := &state{catalog: catalog{}}
	analyzer, err := language.New(e.Language)
	if err != nil {
		return nil, err
	}
	if s.texts, err = newTexts(filepath.Join(dir, "build"), analyzer); err != nil {
		return nil, err
	}
	if e.Model != "" {
		s.vectors = newVectors(e.Model)
	}
	var pending []search.Change
	chunks := 0
	flush := func() error {
		err := s.apply(pending)
		pending, chunks = nil, 0
		return err
	}
	for change, err := range changes {
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		pending = append(pending, change)
		chunks += chunksOf(change)
		if chunks >= applyAtOnce {
			if err := flush(); err != nil {
				return nil, errors.Join(err, s.close())
			}
		}
	}
	if err := flush(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// store writes the objects of a base.
func (e *Engine) store(ctx context.Context, s *state, dir string) (manifest.Base, error) {
	base := manifest.Base{Edition: s.edition, AsOf: s.asOf.UnixMicro(), BuiltAt: e.Clock().UnixMicro()}
	base.Entities, base.Documents, base.Chunks = s.catalog.sizes()
	file, err := s.texts.pack(ctx, dir)
	if err != nil {
		return base, err
	}
	defer file.Close()
	if base.Texts, err = e.put(ctx, "texts", file); err != nil {
		return base, err
	}
	lines, err := packed(s.catalog.sorted())
	if err != nil {
		return base, err
	}
	if base.Catalog, err = e.put(ctx, "catalog", lines); err != nil {
		return base, err
	}
	if s.vectors == nil || s.vectors.dims == 0 {
		return base, nil
	}
	flat, err := os.Create(filepath.Join(dir, "vectors"))
	if err != nil {
		return base, fmt.Errorf("store vectors: %w", err)
	}
	defer flat.Close()
	if err := s.vectors.write(flat, s.catalog); err != nil {
		return base, err
	}
	if _, err := flat.Seek(0, io.SeekStart); err != nil {
		return base, fmt.Errorf("store vectors: %w", err)
	}
	object, err := e.put(ctx, "vectors", flat)
	base.Vectors = &object
	return base, err
}

const (
	// maxSwaps is how often a base's swap is repeated when others change the manifest.
	maxSwaps = 20
)

// publish names a base in the manifest. next returns what the manifest becomes, or false
// if the base is of no more use. Only the swap is repeated when others change the
// manifest in between.
func (e *Engine) publish(ctx context.Context, base manifest.Base, began time.Time, next func(now manifest.Manifest) (manifest.Manifest, bool)) error {
	for range maxSwaps {
		now, err := e.Manifests.Read(ctx)
		if err != nil {
			return err
		}
		to, useful := next(now)
		if !useful || now.Swept(began) {
			return e.discard(ctx, search.ErrMoved, base.Objects()...)
		}
		switch _, err := e.swap(ctx, now, to); {
		case err == nil:
			return nil
		case !errors.Is(err, search.ErrMoved):
			return err
		}
	}
	return e.discard(ctx, search.ErrMoved, base.Objects()...)
}
