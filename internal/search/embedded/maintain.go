package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Maintain implements [search.Engine].
func (e *Engine) Maintain(ctx context.Context) error {
	m, err := e.Manifests.Read(ctx)
	if err != nil || !m.Exists() || m.Format != manifest.Embedded {
		return err
	}
	if m, err = e.check(ctx, m); err != nil {
		return err
	}
	if e.due(m) {
		if err := e.compact(ctx, m); err != nil && !errors.Is(err, search.ErrMoved) {
			return fmt.Errorf("compact the index: %w", err)
		}
		if m, err = e.Manifests.Read(ctx); err != nil {
			return err
		}
	}
	if m, err = e.forget(ctx, m); err != nil {
		return err
	}
	return e.sweep(ctx, m)
}

// check looks whether the objects are what was written, unless it did so less than
// [surgical.IndexCheckInterval] ago: that takes a request for each of them. A damaged base
// or batch is [search.ErrDamaged]; a previous base that is damaged is forgotten.
func (e *Engine) check(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	now := e.Clock()
	e.knowing.Lock()
	due := now.Sub(e.soundAt) >= surgical.IndexCheckInterval
	e.knowing.Unlock()
	if !due {
		return m, nil
	}
	m, err := e.sound(ctx, m)
	if err == nil {
		e.knowing.Lock()
		defer e.knowing.Unlock()
		e.soundAt = now
	}
	return m, err
}

func (e *Engine) sound(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	objects := m.Base.Objects()
	for _, b := range m.Batches {
		objects = append(objects, b.Object)
	}
	if err := e.intact(ctx, objects); err != nil {
		return m, err
	}
	if m.Previous == nil {
		return m, nil
	}
	err := e.intact(ctx, m.Previous.Base.Objects())
	if !errors.Is(err, search.ErrDamaged) {
		return m, err
	}
	next := m
	next.Previous = nil
	return e.swap(ctx, m, next)
}

func (e *Engine) intact(ctx context.Context, objects []manifest.Object) error {
	for _, o := range objects {
		size, etag, err := e.Objects.Head(ctx, o.Key)
		switch {
		case errors.Is(err, bucket.ErrNone):
			return fmt.Errorf("object %s: %w (%w)", o.Key, search.ErrDamaged, err)
		case err != nil:
			return fmt.Errorf("check an object of the index: %w", err)
		case size != o.Bytes || etag != o.ETag:
			return fmt.Errorf("object %s was changed: %w", o.Key, search.ErrDamaged)
		}
	}
	return nil
}

// due reports whether the batches are to be joined with the base: because there are many,
// or because text that was removed must not stay in an object.
func (e *Engine) due(m manifest.Manifest) bool {
	documents := 0
	for _, b := range m.Batches {
		documents += b.Documents
	}
	return documents > surgical.MaxBatchedDocuments || len(m.Batches) >= surgical.MaxIndexBatches ||
		manifest.Older(e.Clock(), manifest.RemovedAt(m.Batches), surgical.CompactRemoved)
}

// compact joins the batches with the base. What it has to read is the whole index, so
// batches that come in the meantime stay behind the new base.
func (e *Engine) compact(ctx context.Context, m manifest.Manifest) error {
	began := e.Clock()
	s, err := e.current(ctx, m, toPack)
	if err != nil {
		return err
	}
	defer s.close()
	dir, err := os.MkdirTemp(e.dir, "compact-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	base, err := e.store(ctx, s, dir)
	if err != nil {
		return err
	}
	e.Log.InfoContext(ctx, "index_compacted", "batches", len(m.Batches), "documents", base.Documents, "bytes", base.Texts.Bytes)
	return e.publish(ctx, base, began, func(now manifest.Manifest) (manifest.Manifest, bool) {
		if now.Base.Texts.Key != m.Base.Texts.Key {
			return now, false // another indexer was faster
		}
		next := now
		next.Base, next.Batches = base, nil
		joined := []manifest.Batch{}
		for _, b := range now.Batches {
			if b.Edition > base.Edition {
				next.Batches = append(next.Batches, b)
			} else {
				joined = append(joined, b)
			}
		}
		next.Previous = &manifest.Previous{Base: now.Base, Batches: joined, RemovedAt: manifest.RemovedAt(joined)}
		return next, true
	})
}

// forget drops the previous base before it has had text for a day that was removed, and
// deletes what retired.
func (e *Engine) forget(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	if p := m.Previous; p != nil {
		removedAt := p.RemovedAt
		if removedAt == 0 {
			removedAt = manifest.RemovedAt(m.Batches)
		}
		if manifest.Older(e.Clock(), removedAt, surgical.ForgetRemoved) {
			next := m
			next.Previous = nil
			var err error
			if m, err = e.swap(ctx, m, next); err != nil {
				return m, search.UnlessMoved(err)
			}
		}
	}
	var due []string
	var kept []manifest.Retired
	for _, r := range m.Retired {
		if manifest.Older(e.Clock(), r.At, surgical.IndexUnnamed) {
			due = append(due, r.Key)
		} else {
			kept = append(kept, r)
		}
	}
	if len(due) == 0 {
		return m, nil
	}
	if err := e.Objects.Delete(ctx, due...); err != nil {
		return m, fmt.Errorf("delete objects of the index: %w", err)
	}
	next := m
	next.Retired = kept
	m, err := e.swap(ctx, m, next)
	return m, search.UnlessMoved(err)
}

// sweep deletes objects that were written and never named, because their writer lost or
// died. The swap before that makes every writer fail that began earlier.
func (e *Engine) sweep(ctx context.Context, m manifest.Manifest) error {
	if m.SweptAt != 0 && !manifest.Older(e.Clock(), m.SweptAt, surgical.IndexUnnamed) {
		return nil
	}
	now := e.Clock()
	var unnamed []string
	for o, err := range e.Objects.List(ctx) {
		if err != nil {
			return fmt.Errorf("list the objects of the index: %w", err)
		}
		if now.Sub(o.Modified) >= surgical.IndexUnnamed {
			unnamed = append(unnamed, o.Key)
		}
	}
	next := m
	next.SweptAt = now.UnixMicro()
	m, err := e.swap(ctx, m, next)
	if err != nil {
		return search.UnlessMoved(err)
	}
	retired := m.RetiredKeys()
	var due []string
	for _, key := range unnamed {
		if !m.Names(key) && !retired[key] {
			due = append(due, key)
		}
	}
	if len(due) == 0 {
		return nil
	}
	e.Log.InfoContext(ctx, "index_swept", "objects", len(due))
	if err := e.Objects.Delete(ctx, due...); err != nil {
		return fmt.Errorf("delete objects of the index: %w", err)
	}
	return nil
}
