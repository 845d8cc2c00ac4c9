package opensearch

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Maintain implements [search.Engine]: it looks whether the index is there, counts what
// it has, lets the alias follow, expunges what was removed, and deletes what is no longer
// named. Nothing is ever due: OpenSearch compacts its indexes itself.
func (e *Engine) Maintain(ctx context.Context) (due bool, err error) {
	m, err := e.Manifests.Read(ctx)
	if err != nil || !ours(m) {
		return false, err
	}
	return false, e.maintain(ctx, m)
}

// Compact implements [search.Engine].
func (e *Engine) Compact(context.Context) error { return nil }

func (e *Engine) maintain(ctx context.Context, m manifest.Manifest) error {
	indexes, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	if _, ok := indexes[m.Index]; !ok {
		return fmt.Errorf("index %s: %w", m.Index, search.ErrDamaged)
	}
	if err := e.followAlias(ctx, m.Index, indexes); err != nil {
		return err
	}
	for _, step := range []func(context.Context, manifest.Manifest) (manifest.Manifest, error){e.recount, e.expunge, e.deleteRetired} {
		if m, err = step(ctx, m); err != nil {
			return search.UnlessMoved(damage(err))
		}
	}
	return search.UnlessMoved(e.sweep(ctx, m, indexes))
}

// followAlias gives the alias for people to the index, and takes it from others.
func (e *Engine) followAlias(ctx context.Context, index string, indexes map[string]listed) error {
	for _, name := range slices.Sorted(maps.Keys(indexes)) {
		method := http.MethodPut
		switch {
		case indexes[name].Newest == (name == index):
			continue
		case name != index:
			method = http.MethodDelete
		}
		err := e.client.call(ctx, method, "/"+name+"/_alias/"+e.Name, nil, nil, nil)
		if method == http.MethodDelete && absent(err) {
			continue // another indexer took it, or the request was repeated
		}
		if err != nil {
			return fmt.Errorf("let the alias follow: %w", err)
		}
	}
	return nil
}

// count fills in how much the index has.
func (e *Engine) count(ctx context.Context, index string, base *manifest.Base) error {
	type number struct {
		Value float64 `json:"value"`
	}
	var counted struct {
		Aggregations struct{ Entities, Documents, Chunks number }
	}
	body := encoded(object{"size": 0, "aggs": object{
		"Entities": object{"value_count": object{"field": "documents"}}, "Documents": object{"sum": object{"field": "documents"}}, "Chunks": object{"sum": object{"field": "chunks"}},
	}})
	if err := e.client.call(ctx, http.MethodPost, "/"+index+"/_search", nil, body, &counted); err != nil {
		return fmt.Errorf("count what the index has: %w", err)
	}
	var stats struct {
		All struct {
			Primaries struct {
				Store struct {
					Bytes int64 `json:"size_in_bytes"`
				} `json:"store"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	if err := e.client.call(ctx, http.MethodGet, "/"+index+"/_stats/store", nil, nil, &stats); err != nil {
		return fmt.Errorf("measure the index: %w", err)
	}
	a := counted.Aggregations
	base.Entities, base.Documents, base.Chunks = int(a.Entities.Value), int(a.Documents.Value), int(a.Chunks.Value)
	base.Bytes = stats.All.Primaries.Store.Bytes
	return nil
}

// recount brings the numbers of the manifest up to date.
func (e *Engine) recount(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	next := m
	if err := e.count(ctx, m.Index, &next.Base); err != nil {
		return m, err
	}
	if b := m.Base; next.Base.Entities == b.Entities && next.Base.Documents == b.Documents && next.Base.Chunks == b.Chunks && next.Base.Bytes == b.Bytes {
		return m, nil
	}
	return e.swap(ctx, m, next)
}

// leaseSynced is how long after a flush OpenSearch may keep what was deleted before it,
// for copies of the shard that are behind.
const leaseSynced = time.Minute

// expunge merges what was removed out of the index before it has been there for a day:
// first everything is written to segments, and a little later these are merged.
func (e *Engine) expunge(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	next := m
	switch {
	case !manifest.Older(e.Clock(), m.RemovedAt, surgical.CompactRemoved):
		return m, nil
	case m.FlushedAt == 0:
		next.FlushedAt = e.Clock().UnixMicro()
		if err := e.client.call(ctx, http.MethodPost, "/"+m.Index+"/_flush", nil, nil, nil); err != nil {
			return m, fmt.Errorf("flush what was removed: %w", err)
		}
	case !manifest.Older(e.Clock(), m.FlushedAt, leaseSynced):
		return m, nil
	default:
		if err := e.client.call(ctx, http.MethodPost, "/"+m.Index+"/_forcemerge", url.Values{"only_expunge_deletes": {"true"}, "wait_for_completion": {"false"}}, nil, nil); err != nil {
			return m, fmt.Errorf("expunge what was removed: %w", err)
		}
		next.RemovedAt, next.FlushedAt = m.FlushedAt, 0 // others may have removed something since
	}
	return e.swap(ctx, m, next)
}

// deleteRetired deletes indexes, and objects of the embedded engine, that retired an hour
// ago.
func (e *Engine) deleteRetired(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	due, kept, err := e.Manifests.Due(ctx, m, e.Clock())
	if err != nil || len(kept) == len(m.Retired) {
		return m, err
	}
	var objects []string
	for _, key := range due {
		if !strings.HasPrefix(key, e.Name+"-") {
			objects = append(objects, key)
		} else if err := e.deleteIndex(ctx, key); err != nil {
			return m, err
		}
	}
	if e.Objects != nil && len(objects) > 0 {
		if err := e.Objects.Delete(ctx, objects...); err != nil {
			return m, fmt.Errorf("delete objects of the former index: %w", err)
		}
	}
	next := m
	next.Retired = kept
	return e.swap(ctx, m, next)
}

// sweep deletes indexes that were never named, because their writer lost or died, and
// such objects of the embedded engine. The swap before that makes every rebuild fail that
// began earlier.
func (e *Engine) sweep(ctx context.Context, m manifest.Manifest, indexes map[string]listed) error {
	if m.SweptAt != 0 && !manifest.Older(e.Clock(), m.SweptAt, surgical.IndexUnnamed) {
		return nil
	}
	now := e.Clock()
	retired, err := e.Manifests.RetiredKeys(ctx, m)
	if err != nil {
		return err
	}
	var objects []string
	if e.Objects != nil {
		for o, err := range e.Objects.List(ctx) {
			if err != nil {
				return fmt.Errorf("list the objects of the former index: %w", err)
			}
			if now.Sub(o.Modified) >= surgical.IndexUnnamed && !retired[o.Key] {
				objects = append(objects, o.Key)
			}
		}
	}
	next := m
	next.SweptAt = now.UnixMicro()
	if _, err := e.swap(ctx, m, next); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(indexes)) {
		if name == m.Index || retired[name] || now.Sub(indexes[name].Created) < surgical.IndexUnnamed {
			continue
		}
		e.Log.InfoContext(ctx, "index_swept", "index", name)
		if err := e.deleteIndex(ctx, name); err != nil {
			return err
		}
	}
	if len(objects) > 0 {
		return e.Objects.Delete(ctx, objects...)
	}
	return nil
}
