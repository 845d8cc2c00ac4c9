package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Maintain implements [search.Engine].
func (e *Engine) Maintain(ctx context.Context) (due bool, err error) {
	m, err := e.takeFollowed(ctx)
	if err != nil || !ours(m) {
		return false, err
	}
	if m, err = e.check(ctx, m); err != nil || !ours(m) {
		return false, err
	}
	if m, err = e.forget(ctx, m); err != nil {
		return false, err
	}
	return e.due(m), e.sweep(ctx, m)
}

// Compact implements [search.Engine]: it joins the batches with the base.
func (e *Engine) Compact(ctx context.Context) error {
	m, err := e.Manifests.Read(ctx)
	if err != nil || !ours(m) || !e.due(m) {
		return err
	}
	return search.UnlessMoved(e.compact(ctx, m))
}

// check looks whether the objects are what was written, unless it did so less than
// [surgical.IndexCheckInterval] ago: that takes requests to S3. A damaged base
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
	batches, err := e.batchesAfter(ctx, m, m.Base.Through)
	if err != nil {
		return m, err
	}
	if err := e.intact(ctx, append(m.Base.Objects(), objectsOf(batches)...)); err != nil {
		return m, err
	}
	if m.Previous == nil {
		return m, nil
	}
	err = e.intact(ctx, m.Previous.Base.Objects())
	if !errors.Is(err, search.ErrDamaged) {
		return m, err
	}
	next := m
	next.Previous = nil
	next, err = e.swap(ctx, m, next)
	if errors.Is(err, search.ErrMoved) {
		return e.Manifests.Read(ctx) // the next check forgets it
	}
	return next, err
}

func objectsOf(batches []manifest.Batch) []manifest.Object {
	objects := make([]manifest.Object, len(batches))
	for i, b := range batches {
		objects[i] = b.Object
	}
	return objects
}

func (e *Engine) intact(ctx context.Context, objects []manifest.Object) error {
	stored, err := e.stored(ctx, objects)
	if err != nil {
		return fmt.Errorf("check the objects of the index: %w", err)
	}
	for _, o := range objects {
		now, exists := stored[o.Key]
		switch {
		case !exists:
			return fmt.Errorf("object %s: %w (%w)", o.Key, search.ErrDamaged, bucket.ErrNone)
		case now.Bytes != o.Bytes || now.Tag != o.ETag:
			return fmt.Errorf("object %s was changed: %w", o.Key, search.ErrDamaged)
		}
	}
	return nil
}

// headsOfAList is how many requests for one object cost as much as one for a list.
const headsOfAList = 12

// stored returns what S3 says of the objects that exist, by their keys: of few by a request
// for each, otherwise from the list of all.
func (e *Engine) stored(ctx context.Context, objects []manifest.Object) (map[string]bucket.Listed, error) {
	stored := map[string]bucket.Listed{}
	if len(objects) > headsOfAList {
		for o, err := range e.Objects.List(ctx) {
			if err != nil {
				return nil, err
			}
			stored[o.Key] = o
		}
		return stored, nil
	}
	for _, o := range objects {
		size, etag, err := e.Objects.Head(ctx, o.Key)
		if errors.Is(err, bucket.ErrNone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		stored[o.Key] = bucket.Listed{Key: o.Key, Bytes: size, Tag: etag}
	}
	return stored, nil
}

// due reports whether the batches are to be joined with the base: because there are many,
// because text that was removed must not stay in an object, or before they expire.
func (e *Engine) due(m manifest.Manifest) bool {
	now := e.Clock()
	return m.Pending.Documents > surgical.MaxBatchedDocuments || m.Behind() >= surgical.MaxIndexBatches ||
		manifest.Older(now, m.Pending.RemovedAt, surgical.CompactRemoved) || manifest.Older(now, m.Pending.Since, surgical.IndexBatchAge)
}

// compact replaces the base. It has to read the whole index, so batches that come in the
// meantime stay behind the new base.
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
	e.Log.InfoContext(ctx, "index_compacted", "batches", m.Behind(), "documents", base.Documents, "bytes", base.Texts.Bytes)
	return e.publish(ctx, base, began, func(now manifest.Manifest) (manifest.Manifest, bool, error) {
		if now.Base.Texts.Key != m.Base.Texts.Key {
			return now, false, nil // another indexer was faster
		}
		next := now
		next.Base, next.Previous = base, &manifest.Previous{Base: now.Base, RemovedAt: m.Pending.RemovedAt}
		behind, err := e.batchesAfter(ctx, next, base.Through)
		next.Pending = manifest.PendingOf(behind)
		return next, true, err
	})
}

// forget drops the previous base before it has had text for a day that was removed, or
// batches behind it expire, and deletes what retired.
func (e *Engine) forget(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	now := e.Clock()
	if p := m.Previous; p != nil {
		removedAt := cmp.Or(p.RemovedAt, m.Pending.RemovedAt)
		if manifest.Older(now, removedAt, surgical.ForgetRemoved) || manifest.Older(now, m.Base.BuiltAt, surgical.IndexPreviousAge) {
			next := m
			next.Previous = nil
			var err error
			if m, err = e.swap(ctx, m, next); err != nil {
				return m, search.UnlessMoved(err)
			}
		}
	}
	due, kept, err := e.Manifests.Due(ctx, m, now)
	if err != nil || len(kept) == len(m.Retired) {
		return m, err
	}
	if err := e.Objects.Delete(ctx, due...); err != nil {
		return m, fmt.Errorf("delete objects of the index: %w", err)
	}
	next := m
	next.Retired = kept
	m, err = e.swap(ctx, m, next)
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
	counts, err := e.counting(ctx, m)
	if err != nil {
		return err
	}
	due := slices.DeleteFunc(unnamed, func(key string) bool { return counts[key] })
	if len(due) == 0 {
		return nil
	}
	e.Log.InfoContext(ctx, "index_swept", "objects", len(due))
	if err := e.Objects.Delete(ctx, due...); err != nil {
		return fmt.Errorf("delete objects of the index: %w", err)
	}
	return nil
}

// counting returns the keys of the objects that the manifest names, or that retired and are
// deleted later.
func (e *Engine) counting(ctx context.Context, m manifest.Manifest) (map[string]bool, error) {
	batches, err := e.Manifests.Batches(ctx, m.Journal, m.From(), m.Last)
	if err != nil {
		return nil, err
	}
	keys, err := e.Manifests.RetiredKeys(ctx, m)
	if err != nil {
		return nil, err
	}
	for _, o := range append(m.Objects(), objectsOf(batches)...) {
		keys[o.Key] = true
	}
	return keys, nil
}
