package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Options are what an engine is made of.
type Options struct {
	Manifests *manifest.Store
	Objects   *bucket.Bucket
	// Dir is where copies of the index are unpacked.
	Dir string
	// Language is that of the texts, one of [language.Names].
	Language string
	// Model is that of the vectors; "" for an index without vectors. Only vectors of a
	// model that knows what words mean are of use: ranks by others make words worse.
	Model string
	// Confidential is what the readers see whose content is indexed.
	Confidential surgical.Policy
	// Embed returns the vector of a query. It may be nil in an indexer.
	Embed search.Embedder
	// Resembling is the bound of [search.Rankings.Similar].
	Resembling float64
	Clock      func() time.Time
	Log        *slog.Logger
}

// Engine is the embedded engine.
type Engine struct {
	Options
	// dir is this engine's part of Dir, which lock marks as used.
	dir  string
	lock *os.File

	// turn is held by who brings the copy up to date.
	turn      sync.Mutex
	checkedAt time.Time
	// mu guards the copy that answers queries.
	mu      sync.RWMutex
	serving *state

	// known is the catalog that an indexer compares with, and followed the manifest that
	// its position was taken from.
	knowing  sync.Mutex
	known    *state
	followed manifest.Manifest
	// soundAt is when all objects were last found to be what was written.
	soundAt time.Time
}

var _ search.Engine = (*Engine)(nil)

const (
	// checkInterval is how long a manifest that was read counts as the newest.
	checkInterval = time.Second
	// applyTime is how long a query adds batches before it is answered from what is
	// there.
	applyTime = 200 * time.Millisecond
	// queryApplies is how many chunks a query adds at a time; a rebuild or compaction
	// adds applyAtOnce.
	queryApplies = 250
	applyAtOnce  = 2000
)

// New returns an engine. Close frees its copy of the index.
func New(o Options) (*Engine, error) {
	if _, err := language.New(o.Language); err != nil {
		return nil, err
	}
	removeUnused(o.Dir)
	dir, err := os.MkdirTemp(o.Dir, dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a directory for the index: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the directory of the index: %w", err), os.RemoveAll(dir))
	}
	return &Engine{Options: o, dir: dir, lock: lock}, nil
}

const dirPrefix = "lorehook-index-"

// removeUnused removes the directories of processes that have died: whatever they
// unpacked is never opened again.
func removeUnused(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, dirPrefix+"*"))
	if err != nil {
		return // the pattern is valid
	}
	for _, dir := range dirs {
		lock, err := os.Open(filepath.Join(dir, "lock"))
		if err != nil {
			continue // it is being made
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir) // the next engine tries again
		}
		_ = lock.Close()
	}
}

// Close frees the engine's copy of the index.
func (e *Engine) Close() error {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.serving.close()
	e.serving = nil
	return errors.Join(err, e.lock.Close(), os.RemoveAll(e.dir))
}

// Search implements [search.Engine].
func (e *Engine) Search(ctx context.Context, q search.Query, depth int) (search.Candidates, error) {
	if err := e.refresh(ctx); err != nil {
		return search.Candidates{}, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := e.serving
	if s == nil {
		return search.Candidates{}, search.NotReady()
	}
	found := search.Candidates{Mode: search.Lexical, AsOf: s.asOf}
	accept := accepts(q)
	terms, err := s.wanted(ctx, q)
	if err != nil {
		return found, err
	}
	lexical, total, err := s.texts.search(ctx, s.catalog, terms, max(depth, search.Fused), accept)
	if err != nil {
		return found, err
	}
	ranked := candidates(lexical)
	if s.vectors != nil && s.vectors.dims > 0 {
		limit := max(depth, search.Fused)
		near, err := e.near(ctx, s, q, limit, accept)
		switch {
		case err != nil && ctx.Err() != nil:
			return found, err
		case err != nil:
			e.Log.WarnContext(ctx, "query_not_embedded", "error", err.Error())
			found.Reason = search.NoEmbedder
		default:
			found.Mode, found.Model = search.Hybrid, e.Model
			rankings := search.Rankings{Words: ranked, Total: total, Near: near, Limit: limit}
			ranked, total = rankings.Ranked(q, e.Resembling)
		}
	} else if e.Model != "" {
		found.Reason = search.NoVectors(e.Model)
	}
	found.Found = ranked[:min(depth, len(ranked))]
	found.More = total > depth && len(found.Found) == depth
	return found, nil
}

// candidates are the chunks as an engine returns them.
func candidates(hits []chunkHit) []search.Candidate {
	all := make([]search.Candidate, len(hits))
	for i, hit := range hits {
		all[i] = search.Candidate{Ref: hit.entity.ref, Document: hit.document, Chunk: hit.chunk, Hash: hit.entity.Documents[hit.document].Hash, Score: hit.score}
	}
	return all
}

// accepts returns which entities the query lets through, nil for all. The facets of an
// entity are compared once.
func accepts(q search.Query) func(*entry) bool {
	if q.Filter.IsZero() && q.SimilarTo == nil {
		return nil
	}
	known := map[*entry]bool{}
	return func(e *entry) bool {
		fits, seen := known[e]
		if !seen {
			fits = (q.SimilarTo == nil || e.ref != *q.SimilarTo) && q.Filter.Matches(e.ref, e.Facets)
			known[e] = fits
		}
		return fits
	}
}

// wanted returns the words that the query looks for.
func (s *state) wanted(ctx context.Context, q search.Query) ([]weighted, error) {
	if q.SimilarTo != nil {
		return s.texts.typical(ctx, q.Text)
	}
	return s.texts.terms(q.Text), nil
}

// near ranks by vectors: that of the query, or the mean of those of the entity that
// others are compared with. The scores are cosines.
func (e *Engine) near(ctx context.Context, s *state, q search.Query, depth int, accept func(*entry) bool) ([]search.Candidate, error) {
	var own [][]float32
	if q.SimilarTo != nil {
		own = s.own(*q.SimilarTo)
	}
	vector, err := search.QueryVector(ctx, e.Embed, q.Text, own, s.vectors.dims)
	if err != nil {
		return nil, err
	}
	if accept != nil {
		accept = together(accept)
	} else {
		accept = func(*entry) bool { return true }
	}
	nearest, err := s.vectors.nearest(ctx, vector, depth, accept)
	if err != nil {
		return nil, err
	}
	hits := make([]chunkHit, len(nearest))
	for i, n := range nearest {
		hits[i] = chunkHit{n.row.entity, n.row.document, int(n.row.chunk), float64(n.score)}
	}
	return candidates(hits), nil
}

// own returns the vectors of an entity's own document.
func (s *state) own(ref surgical.EntityRef) [][]float32 {
	e := s.catalog[ref.Key()]
	if e == nil {
		return nil
	}
	return s.vectors.of(e.Key, render.EntityID, e.Documents[render.EntityID].Chunks)
}

// together makes a function safe for concurrent use.
func together(accept func(*entry) bool) func(*entry) bool {
	var mu sync.Mutex
	return func(e *entry) bool {
		mu.Lock()
		defer mu.Unlock()
		return accept(e)
	}
}

// refresh brings the copy up to date, as far as that takes little time. Without a copy,
// it loads the whole index. A query that finds another one at it goes on with what is
// there.
func (e *Engine) refresh(ctx context.Context) error {
	if e.copied() {
		if !e.turn.TryLock() {
			return nil
		}
	} else {
		e.turn.Lock()
	}
	defer e.turn.Unlock()
	began := e.Clock()
	if e.copied() && began.Sub(e.checkedAt) < checkInterval {
		return nil
	}
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	if !ours(m) {
		return search.NotReady()
	}
	err = e.catchUp(ctx, m, began)
	switch {
	case err == nil:
		e.checkedAt = began
		return nil
	case errors.Is(err, search.ErrDamaged) && !e.copied():
		e.Log.ErrorContext(ctx, "index_damaged", "error", err.Error())
		return search.Damaged(err)
	case e.copied():
		// The copy answers, with its own as_of.
		e.Log.ErrorContext(ctx, "index_not_current", "error", err.Error())
		return nil
	}
	return err
}

func (e *Engine) copied() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.serving != nil
}

// catchUp adds the batches that the copy lacks, or loads the index if they no longer
// exist.
func (e *Engine) catchUp(ctx context.Context, m manifest.Manifest, began time.Time) error {
	if e.serving.leadsTo(m) {
		return e.addBatches(ctx, m, began)
	}
	fresh, err := e.current(ctx, m, toSearch)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.serving
	e.serving = fresh
	return old.close()
}

func (e *Engine) addBatches(ctx context.Context, m manifest.Manifest, began time.Time) error {
	lacking, err := e.batchesAfter(ctx, m, e.serving.number)
	if err != nil {
		return err
	}
	for first := true; len(lacking) > 0; first = false {
		if !first && e.Clock().Sub(began) > applyTime {
			return nil
		}
		changes, n, err := e.changesOf(ctx, lacking, queryApplies)
		if err != nil {
			return err
		}
		e.mu.Lock()
		err = e.serving.advance(lacking[n-1], changes)
		e.mu.Unlock()
		if err != nil {
			return err
		}
		lacking = lacking[n:]
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serving.asOf = time.UnixMicro(m.AsOf).UTC()
	return nil
}
