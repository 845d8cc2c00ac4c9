package opensearch

import (
	"context"
	"errors"
	"iter"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// builtVersion is that of all documents of a new index, which nobody else writes.
	builtVersion = 1
	// maxSwaps is how often a rebuild's swap is repeated when others change the manifest.
	maxSwaps = 20
)

// Rebuild implements [search.Engine]: it builds a new index, and names it in the manifest
// with the position from before anything was read, so that what others applied to the old
// one is followed again.
func (e *Engine) Rebuild(ctx context.Context, at search.Position, changes iter.Seq2[search.Change, error]) error {
	began := e.Clock()
	requested, err := e.Manifests.Requested(ctx)
	if err != nil {
		return err
	}
	before, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	index, err := e.createIndex(ctx)
	if err != nil {
		return err
	}
	dimensions, err := e.build(ctx, index, changes)
	if err != nil {
		return errors.Join(err, e.discard(index))
	}
	base := manifest.Base{BuiltAt: began.UnixMicro(), AsOf: at.AsOf.UnixMicro()}
	if err := e.count(ctx, index, &base); err != nil {
		return errors.Join(err, e.discard(index))
	}
	for range maxSwaps {
		now, err := e.Manifests.Read(ctx)
		if err != nil {
			return err // the index may be named already: maintenance deletes it if not
		}
		if now.Named(index) {
			return nil
		}
		if now.Index != before.Index || now.Swept(began) {
			break
		}
		next := manifest.Manifest{
			Language: e.Language, Model: e.Model, Confidential: e.Confidential, Edition: now.Edition + 1, Base: base, Index: index, Dimensions: dimensions,
			Cursor: at.Cursor, AsOf: at.AsOf.UnixMicro(), RebuiltFor: max(now.RebuiltFor, requested), SweptAt: now.SweptAt,
			Retired: now.Retired,
		}
		next.Replace(now, e.Clock())
		if now.Index != "" {
			next.Retire(e.Clock(), now.Index)
		}
		switch _, err := e.swap(ctx, now, next); {
		case err == nil:
			e.Log.InfoContext(ctx, "index_rebuilt", "index", index, "documents", base.Documents)
			return nil
		case !errors.Is(err, search.ErrMoved):
			return err
		}
	}
	return errors.Join(search.ErrMoved, e.discard(index))
}

// discardTime is how long the deletion of an index of no use may take.
const discardTime = 10 * time.Second

// discard deletes an index that no manifest names, also if the time of the rebuild is
// over.
func (e *Engine) discard(index string) error {
	ctx, cancel := context.WithTimeout(context.Background(), discardTime)
	defer cancel()
	return e.deleteIndex(ctx, index)
}

// build fills an empty index, and returns the length of its vectors.
func (e *Engine) build(ctx context.Context, index string, changes iter.Seq2[search.Change, error]) (dimensions int, err error) {
	w := e.writer(index, time.Time{})
	seen := map[surgical.EntityRef]bool{}
	for change, err := range changes {
		if err != nil {
			return 0, err
		}
		if change.Gone || seen[change.Ref] {
			continue // what was read first is whole; later changes are behind the position
		}
		seen[change.Ref] = true
		if dimensions == 0 {
			if first := dimensionsOf([]search.Change{change}); first > 0 {
				if dimensions, err = e.addVectors(ctx, index, first); err != nil {
					return 0, err
				}
			}
		}
		fields := filteredOf(change.Ref, change.Facets)
		for _, d := range change.Put {
			if err := putChunks(ctx, w, change.Ref, fields, d, dimensions, builtVersion); err != nil {
				return 0, err
			}
		}
		o, err := put(change.Ref.Key(), builtVersion, sameOrNewer, catalog{}.settled(change).document())
		if err != nil {
			return 0, err
		}
		if err := w.add(ctx, o); err != nil {
			return 0, err
		}
	}
	if err := w.flush(ctx); err != nil {
		return 0, err
	}
	return dimensions, e.refresh(ctx, index)
}
