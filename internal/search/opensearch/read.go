package opensearch

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// catalogsAtOnce and chunksAtOnce are how many documents one request reads. The
	// catalog of an entity with 15,000 documents has some 2 MB.
	catalogsAtOnce = 25
	chunksAtOnce   = 500
)

// read is a document that was read, as of the last write.
type read struct {
	ID      string          `json:"_id"`
	Version int64           `json:"_version"`
	Found   bool            `json:"found"`
	Source  json.RawMessage `json:"_source"`
	Error   *itemError      `json:"error"`
}

// get reads documents by their ids, those that do not exist included.
func (c *client) get(ctx context.Context, index string, ids []string) ([]read, error) {
	var answer struct {
		Docs []read `json:"docs"`
	}
	body := encoded(object{"ids": ids})
	if err := c.call(ctx, http.MethodPost, "/"+index+"/_mget", url.Values{"realtime": {"true"}}, body, &answer); err != nil {
		return nil, err
	}
	for _, d := range answer.Docs {
		if d.Error != nil {
			return nil, &failure{Status: http.StatusNotFound, Type: d.Error.Type, Reason: d.Error.Reason}
		}
	}
	if len(answer.Docs) != len(ids) {
		return nil, fmt.Errorf("OpenSearch returned %d of %d documents", len(answer.Docs), len(ids))
	}
	return answer.Docs, nil
}

// versioned is a catalog as it was read. One that does not exist has version 0, and says
// that the entity is gone.
type versioned struct {
	catalog
	Version int64
}

// catalogs reads the catalogs of entities by their keys.
func (e *Engine) catalogs(ctx context.Context, c client, index string, keys []string) (map[string]versioned, error) {
	found := map[string]versioned{}
	for some := range slices.Chunk(keys, catalogsAtOnce) {
		docs, err := c.get(ctx, index, some)
		if err != nil {
			return nil, err
		}
		for i, doc := range docs {
			v := versioned{catalog: catalog{Gone: true}}
			if doc.Found {
				var d catalogued
				if err := json.Unmarshal(doc.Source, &d); err != nil {
					return nil, fmt.Errorf("decode the catalog of %s: %w", some[i], err)
				}
				v = versioned{d.Catalog, doc.Version}
			}
			found[some[i]] = v
		}
	}
	return found, nil
}

// chunks yields the chunks with the ids, a part of them at a time. Those that do not
// exist are left out.
func (e *Engine) chunks(ctx context.Context, c client, index string, ids []string) iter.Seq2[map[string]chunk, error] {
	return func(yield func(map[string]chunk, error) bool) {
		for some := range slices.Chunk(ids, chunksAtOnce) {
			docs, err := c.get(ctx, index, some)
			if err != nil {
				yield(nil, err)
				return
			}
			batch := map[string]chunk{}
			for i, doc := range docs {
				if !doc.Found {
					continue
				}
				var read chunk
				if err := json.Unmarshal(doc.Source, &read); err != nil {
					yield(nil, fmt.Errorf("decode chunk %s: %w", some[i], err))
					return
				}
				batch[some[i]] = read
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// Known implements [search.Engine].
func (e *Engine) Known(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]search.Entry, error) {
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return nil, err
	}
	if !ours(m) {
		return nil, search.ErrMoved
	}
	keys := make([]string, len(refs))
	for i, ref := range refs {
		keys[i] = ref.Key()
	}
	catalogs, err := e.catalogs(ctx, e.client, m.Index, keys)
	if err != nil {
		return nil, damage(err)
	}
	known := map[surgical.EntityRef]search.Entry{}
	for _, ref := range refs {
		if entry, ok := catalogs[ref.Key()].entry(); ok {
			known[ref] = entry
		}
	}
	return known, nil
}

// damage adds [search.ErrDamaged] to the error of an index that does not exist.
func damage(err error) error {
	if noIndex(err) {
		return fmt.Errorf("%w: %w", search.ErrDamaged, err)
	}
	return err
}
