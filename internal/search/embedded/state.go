package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
)

// state is the index, or only its catalog, as of one batch.
type state struct {
	// number is that of the last batch of the journal that it contains, and rebuilt is that
	// of the manifest that it was loaded for.
	journal string
	number  int64
	rebuilt int64
	// asOf is a time before which all changes are in it.
	asOf    time.Time
	catalog catalog
	// texts and vectors are nil if only the catalog is wanted; vectors also if the
	// index has none of the engine's model.
	texts   *texts
	vectors *vectors
}

// close frees what the state holds.
func (s *state) close() error {
	if s == nil || s.texts == nil {
		return nil
	}
	return s.texts.close()
}

// apply adds changes that are behind the state.
func (s *state) apply(changes []search.Change) error {
	was := make([][]dropped, len(changes))
	for i, change := range changes {
		was[i] = s.catalog.apply(change)
		if s.vectors != nil {
			s.vectors.apply(s.catalog, change, was[i])
		}
	}
	if s.texts == nil {
		return nil
	}
	return s.texts.apply(changes, was)
}

// extent is what to load of a base.
type extent int

const (
	// catalogOnly is for an indexer, which compares.
	catalogOnly extent = iota
	// toSearch is for queries, and toPack for a new base.
	toSearch
	toPack
)

// load reads a base of a manifest. The caller closes the state.
func (e *Engine) load(ctx context.Context, m manifest.Manifest, base manifest.Base, extent extent) (_ *state, err error) {
	s := &state{journal: m.Journal, number: base.Through, rebuilt: m.Rebuilt, asOf: time.UnixMicro(base.AsOf).UTC()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.catalog, err = e.readCatalog(ctx, base.Catalog); err != nil || extent == catalogOnly {
		return s, err
	}
	analyzer, err := language.New(m.Language)
	if err != nil {
		return s, err
	}
	if s.texts, err = e.openBase(ctx, base.Texts, analyzer, extent == toPack); err != nil {
		return s, err
	}
	if e.Model == "" || e.Model != m.Model {
		return s, nil
	}
	s.vectors = newVectors(e.Model)
	if base.Vectors == nil {
		return s, nil
	}
	body, err := e.open(ctx, *base.Vectors)
	if err != nil {
		return s, err
	}
	defer body.Close()
	return s, body.check(s.vectors.read(body, base.Vectors.Bytes, s.catalog))
}

// current loads what the manifest names. If its base is damaged, the base before it and
// the batches since then have the same content. If a batch is damaged, queries are answered
// from what comes before it.
func (e *Engine) current(ctx context.Context, m manifest.Manifest, extent extent) (*state, error) {
	s, err := e.load(ctx, m, m.Base, extent)
	if errors.Is(err, search.ErrDamaged) && m.Previous != nil {
		e.Log.ErrorContext(ctx, "index_damaged", "error", err.Error())
		s, err = e.load(ctx, m, m.Previous.Base, extent)
	}
	if err != nil {
		return nil, err
	}
	batches, err := e.batchesAfter(ctx, m, s.number)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for len(batches) > 0 {
		batches, err = e.add(ctx, s, batches, applyAtOnce)
		switch {
		case errors.Is(err, search.ErrDamaged) && extent == toSearch:
			e.Log.ErrorContext(ctx, "index_damaged", "error", err.Error())
			return s, nil
		case err != nil:
			return nil, errors.Join(err, s.close())
		}
	}
	s.asOf = time.UnixMicro(m.AsOf).UTC()
	return s, nil
}

// add applies the first batches, of some atOnce chunks, in one change of the index, and
// returns the others. Nothing may search the state in the meantime.
func (e *Engine) add(ctx context.Context, s *state, batches []manifest.Batch, atOnce int) ([]manifest.Batch, error) {
	changes, n, err := e.changesOf(ctx, batches, atOnce)
	if err != nil {
		return nil, err
	}
	return batches[n:], s.advance(batches[n-1], changes)
}

// changesOf reads the first n batches, which have some atOnce chunks.
func (e *Engine) changesOf(ctx context.Context, batches []manifest.Batch, atOnce int) (changes []search.Change, n int, err error) {
	chunks := 0
	for n < len(batches) && (n == 0 || chunks < atOnce) {
		err := unpack(ctx, e, batches[n].Object, func(change search.Change) {
			changes = append(changes, change)
			chunks += chunksOf(change)
		})
		if err != nil {
			return nil, 0, fmt.Errorf("read a batch: %w", err)
		}
		n++
	}
	return changes, n, nil
}

func chunksOf(change search.Change) int {
	n := 0
	for _, d := range change.Put {
		n += len(d.Texts)
	}
	return n
}

// advance applies the changes of batches, of which b is the last.
func (s *state) advance(b manifest.Batch, changes []search.Change) error {
	if err := s.apply(changes); err != nil {
		return err
	}
	s.number, s.asOf = b.Number, time.UnixMicro(b.AsOf).UTC()
	return nil
}

// leadsTo reports whether the batches behind the state bring it to what the manifest says.
// Otherwise the base has to be loaded.
func (s *state) leadsTo(m manifest.Manifest) bool {
	return s != nil && s.journal == m.Journal && s.rebuilt == m.Rebuilt && s.number >= m.From() && s.number <= m.Last
}

// batchesAfter reads the batches that the manifest names behind a number, in order.
func (e *Engine) batchesAfter(ctx context.Context, m manifest.Manifest, number int64) ([]manifest.Batch, error) {
	batches, err := e.Manifests.Batches(ctx, m.Journal, number, m.Last)
	if err == nil && int64(len(batches)) != m.Last-number {
		err = fmt.Errorf("%d of the batches %d to %d: %w", len(batches), number+1, m.Last, search.ErrDamaged)
	}
	return batches, err
}
