package opensearch

import (
	"context"
	"encoding/json"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxDepth is how many chunks a search goes through at most: OpenSearch's own limit.
const maxDepth = 10_000

// firstNearest is how many chunks a vector finds, unless a search goes deeper: then it finds
// [maxDepth], and those that are new follow behind. For OpenSearch finds others, also among
// the first, if more are asked for.
const firstNearest = 1000

// object is a JSON object.
type object = map[string]any

// wordsBody is the request of a search by words.
func wordsBody(q search.Query, depth int) []byte {
	return encoded(requestOf(object{"bool": object{"must": wordsOf(q), "filter": filtersOf(q)}}, depth))
}

// nearBody is the request of a search by a vector, for the first of the chunks that it finds.
func nearBody(q search.Query, vector []float32, finds, first int) []byte {
	return encoded(requestOf(nearTo(q, vector, finds), min(finds, first)))
}

// requestOf is the request of what matches the query, best first.
func requestOf(query object, depth int) object {
	return object{
		"size": depth, "track_total_hits": depth + 1,
		"_source":      []string{"entity", "document", "chunk", "hash"},
		"query":        query,
		"track_scores": true, "sort": []any{object{"_score": "desc"}, object{"entity": "asc"}},
	}
}

// nearTo finds the chunks whose vectors are closest.
func nearTo(q search.Query, vector []float32, finds int) object {
	near := object{"vector": vector, "k": finds}
	if filters := filtersOf(q); len(filters) > 0 {
		near["filter"] = object{"bool": object{"filter": filters}}
	}
	return object{"knn": object{"vector": near}}
}

// cosine returns the cosine of which OpenSearch makes a score.
func cosine(score float64) float64 { return 2*score - 1 }

// encoded is v as JSON.
func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // no request has a value that JSON lacks: vectors are finite
	}
	return raw
}

// wordsOf is what the query looks for by words. None of these queries has operators.
func wordsOf(q search.Query) object {
	if q.SimilarTo != nil {
		return object{"more_like_this": object{
			"fields": []string{"text"}, "like": q.Text, "max_query_terms": search.LikeTerms,
			"min_term_freq": 1, "min_doc_freq": 1, "minimum_should_match": "1",
		}}
	}
	return object{"match": object{"text": object{"query": first(q.Text, maxQuery)}}}
}

// maxQuery is how many characters of a query count. A word has at least one, and
// OpenSearch refuses queries of more than 1,024 words.
const maxQuery = 1000

// first returns the first n characters of a text.
func first(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

// filtersOf are the conditions that [search.Filter.Matches] states, and that an entity is
// not similar to itself.
func filtersOf(q search.Query) []any {
	filters := []any{}
	is := func(field string, value any) {
		filters = append(filters, object{"term": object{field: value}})
	}
	f := q.Filter
	if f.Projects != nil {
		filters = append(filters, object{"terms": object{"project": f.Projects}})
	}
	if f.Type != "" {
		is("type", f.Type)
	}
	if f.State != "" {
		is("state", f.State)
	}
	if f.Author != "" {
		is("author", folded(f.Author))
	}
	for _, label := range f.Labels {
		is("labels", folded(label))
	}
	for field, r := range map[string]search.Range{"created": f.Created, "updated": f.Updated} {
		if r == (search.Range{}) {
			continue
		}
		bounds := object{}
		if !r.From.IsZero() {
			bounds["gte"] = micros(r.From)
		}
		if !r.Until.IsZero() {
			bounds["lt"] = micros(r.Until)
		}
		filters = append(filters, object{"range": object{field: bounds}})
	}
	if q.SimilarTo != nil {
		filters = append(filters, object{"bool": object{"must_not": object{"term": object{"entity": q.SimilarTo.Key()}}}})
	}
	return filters
}

// searchAnswer is the response to a search.
type searchAnswer struct {
	TimedOut bool `json:"timed_out"`
	Shards   struct {
		Failed int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value int `json:"value"`
		} `json:"total"`
		Hits []hit `json:"hits"`
	} `json:"hits"`
}

type hit struct {
	Score  float64 `json:"_score"`
	Source chunk   `json:"_source"`
}

func (h hit) candidate() (search.Candidate, error) {
	ref, err := surgical.ParseEntityRef(h.Source.Entity)
	return search.Candidate{Ref: ref, Document: h.Source.Document, Chunk: h.Source.Chunk, Hash: h.Source.Hash, Score: h.Score}, err
}

// own returns the vectors of an entity's own document.
func (e *Engine) own(ctx context.Context, m manifest.Manifest, ref surgical.EntityRef) ([][]float32, error) {
	catalogs, err := e.catalogs(ctx, e.query, m.Index, []string{ref.Key()})
	if err != nil {
		return nil, err
	}
	own := catalogs[ref.Key()].Documents[render.EntityID]
	if own.Model != e.Model {
		return nil, nil
	}
	var ids []string
	for n := range own.Chunks {
		ids = append(ids, idOf(ref, render.EntityID, n))
	}
	var vectors [][]float32
	for batch, err := range e.chunks(ctx, e.query, m.Index, ids) {
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			vectors = append(vectors, c.Vector)
		}
	}
	return vectors, nil
}
