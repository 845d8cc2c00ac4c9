package opensearch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// analyzers has OpenSearch's analyzer of each language of package language.
func analyzers() map[string]string {
	return map[string]string{
		"ar": "arabic", "cjk": "cjk", "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish",
		"fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
		"ro": "romanian", "ru": "russian", "sv": "swedish", "tr": "turkish",
	}
}

// writeAlias is the alias that an index is written through.
func writeAlias(index string) string { return index + "-writer" }

// allAlias is the alias that all indexes of the engine have.
func (e *Engine) allAlias() string { return e.Name + "-all" }

// maxKeyword is the longest value that a filter may match, in characters.
const maxKeyword = 8000

// createIndex creates an empty index under a new name, which it returns.
func (e *Engine) createIndex(ctx context.Context) (string, error) {
	index := e.Name + "-" + strings.ToLower(rand.Text()[:16])
	word := object{"type": "keyword", "ignore_above": maxKeyword}
	kept := object{"type": "keyword", "index": false, "doc_values": false}
	number, counted := object{"type": "long"}, object{"type": "integer"}
	body := object{
		"settings": object{
			"index.knn": true,
			// One shard: words are as rare in it as in the whole index.
			"number_of_shards": 1, "auto_expand_replicas": "0-1",
			// Each writer makes its writes visible before the manifest says that they are there.
			"refresh_interval": "-1",
			// A version is remembered for longer than a writer lives.
			"gc_deletes": deletesKept,
			// Maintenance leaves nothing of what was removed.
			"merge.policy.expunge_deletes_allowed": 0,
		},
		"aliases": object{writeAlias(index): object{}, e.allAlias(): object{}},
		"mappings": object{"dynamic": false, "properties": object{
			"text":   object{"type": "text", "analyzer": analyzers()[e.Language]},
			"entity": word, "document": kept, "hash": kept, "chunk": object{"type": "integer", "index": false, "doc_values": false},
			"project": number, "type": word, "state": word, "author": word, "labels": word, "created": number, "updated": number,
			"catalog": object{"type": "object", "enabled": false}, "documents": counted, "chunks": counted,
		}},
	}
	err := e.client.call(ctx, http.MethodPut, "/"+index, nil, encoded(body), nil)
	var f *failure
	if errors.As(err, &f) && f.Type == "resource_already_exists_exception" {
		err = nil // the response to an earlier attempt was lost
	}
	if err != nil {
		return "", fmt.Errorf("create an index: %w", err)
	}
	return index, nil
}

// addVectors gives the index vectors of the length, unless it has some already. It
// returns the length of those that it has.
func (e *Engine) addVectors(ctx context.Context, index string, dimensions int) (int, error) {
	field := object{"type": "knn_vector", "dimension": dimensions, "method": object{"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}}
	err := e.client.call(ctx, http.MethodPut, "/"+index+"/_mapping", nil, encoded(object{"properties": object{"vector": field}}), nil)
	var f *failure
	if err == nil || !errors.As(err, &f) || f.Status != http.StatusBadRequest {
		return dimensions, err
	}
	// An earlier writer was faster, with another length.
	var answer map[string]struct {
		Mappings struct {
			Properties struct {
				Vector struct {
					Dimension int `json:"dimension"`
				} `json:"vector"`
			} `json:"properties"`
		} `json:"mappings"`
	}
	if err := e.client.call(ctx, http.MethodGet, "/"+index+"/_mapping", nil, nil, &answer); err != nil {
		return 0, err
	}
	if has := answer[index].Mappings.Properties.Vector.Dimension; has > 0 {
		return has, nil
	}
	return 0, fmt.Errorf("add vectors to the index: %w", err)
}

// refresh makes what was written visible to searches.
func (e *Engine) refresh(ctx context.Context, index string) error {
	return e.client.call(ctx, http.MethodPost, "/"+index+"/_refresh", nil, nil, nil)
}

// deleteIndex deletes an index; one that does not exist is ignored.
func (e *Engine) deleteIndex(ctx context.Context, index string) error {
	if err := e.client.call(ctx, http.MethodDelete, "/"+index, url.Values{"ignore_unavailable": {"true"}}, nil, nil); err != nil && !noIndex(err) {
		return fmt.Errorf("delete an index: %w", err)
	}
	return nil
}

// listed is an index of the engine.
type listed struct {
	Created time.Time
	// Newest reports whether it has the alias of the newest one.
	Newest bool
}

// indexes lists all indexes of the engine.
func (e *Engine) indexes(ctx context.Context) (map[string]listed, error) {
	var answer map[string]struct {
		Aliases  map[string]any `json:"aliases"`
		Settings struct {
			Index struct {
				CreationDate string `json:"creation_date"`
			} `json:"index"`
		} `json:"settings"`
	}
	if err := e.client.call(ctx, http.MethodGet, "/"+e.allAlias(), nil, nil, &answer); err != nil {
		if noIndex(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("list the indexes: %w", err)
	}
	found := map[string]listed{}
	for name, index := range answer {
		created, err := strconv.ParseInt(index.Settings.Index.CreationDate, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("list the indexes: %w", err)
		}
		_, newest := index.Aliases[e.Name]
		found[name] = listed{time.UnixMilli(created), newest}
	}
	return found, nil
}
