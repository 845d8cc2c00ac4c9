package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
)

// Rebuild implements [search.Engine].
func (e *Engine) Rebuild(ctx context.Context, at search.Position, changes iter.Seq2[search.Change, error]) error {
	began := e.Clock()
	m, requested, err := e.Manifests.ReadAll(ctx)
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
	base.AsOf = at.AsOf.UnixMicro()
	return e.publish(ctx, base, began, func(now manifest.Manifest) (manifest.Manifest, bool, error) {
		next, useful := e.rebuilt(m, now, base, at)
		if !useful {
			return now, false, nil
		}
		next.RebuiltFor = max(now.RebuiltFor, requested)
		return next, true, nil
	})
}

// rebuilt returns the manifest with a rebuilt base, which was read behind a position. before
// is the one from when the rebuild began, and now the one that is replaced. The index goes
// on from that position, so that what others applied to the old base in the meantime is
// followed again: their batches say how the old one differed from its source, and an entity
// or document that did not differ there may in this one, in which it was read earlier. The
// old base lacks what only the rebuild read, so it does not become the previous one. If
// another rebuild ended in the meantime, the cursor may be behind changes that this one did
// not read, so its base is of no use, unless the other was made with another language, model
// or policy.
func (e *Engine) rebuilt(before, now manifest.Manifest, base manifest.Base, at search.Position) (next manifest.Manifest, useful bool) {
	next = now
	next.Edition++
	next.Rebuilt = next.Edition
	next.Language, next.Model, next.Confidential = e.Language, e.Model, e.Confidential
	if now.Outdated(0, manifest.Embedded, e.Language, e.Model, e.Confidential) != "" {
		next.Journal, next.Last = newName(), 0
	} else if now.Rebuilt != before.Rebuilt {
		return now, false
	}
	base.Through = next.Last
	next.Cursor, next.AsOf = at.Cursor, at.AsOf.UnixMicro()
	next.Base, next.Previous, next.Pending = base, nil, manifest.Pending{}
	return next, true
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
	base := manifest.Base{Through: s.number, AsOf: s.asOf.UnixMicro(), BuiltAt: e.Clock().UnixMicro()}
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

// maxSwaps is how often a base's swap is repeated when others change the manifest.
const maxSwaps = 20

// publish names a base in the manifest. next returns what the manifest becomes, or false
// if the base is of no more use. Only the swap is repeated when others change the
// manifest in between.
func (e *Engine) publish(ctx context.Context, base manifest.Base, began time.Time, next func(now manifest.Manifest) (manifest.Manifest, bool, error)) error {
	for swaps := 0; ; swaps++ {
		now, err := e.Manifests.Read(ctx)
		if err != nil || now.Named(base.Texts.Key) {
			return err
		}
		to, useful, err := next(now)
		if err != nil {
			return err
		}
		if !useful || now.Swept(began) || swaps == maxSwaps {
			return e.discard(ctx, search.ErrMoved, base.Objects()...)
		}
		switch _, err := e.swap(ctx, now, to); {
		case err == nil:
			return nil
		case !errors.Is(err, search.ErrMoved):
			return err
		}
	}
}
