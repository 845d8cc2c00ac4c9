package opensearch

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Options are what an engine is made of.
type Options struct {
	Endpoint Endpoint
	// HTTP sends the requests, and Credentials sign those to a domain of AWS.
	HTTP        aws.HTTPClient
	Credentials aws.CredentialsProvider
	Manifests   *manifest.Store
	// Name begins the names of all indexes, and is that of the alias of the newest one.
	// No two stacks that share a cluster have the same.
	Name string
	// Objects is the bucket of the embedded engine, which is emptied once the index is in
	// OpenSearch. It may be nil.
	Objects *bucket.Bucket
	// Language is that of the texts, one of the keys of the analyzers.
	Language string
	// Model is that of the vectors; "" for an index without vectors.
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

// Engine is an engine whose index is in OpenSearch.
type Engine struct {
	Options
	client client
	// query sends what people wait for.
	query client

	mu     sync.Mutex
	newest manifest.Manifest
	readAt time.Time
}

var _ search.Engine = (*Engine)(nil)

const (
	// checkInterval is how long a manifest that was read counts as the newest.
	checkInterval = time.Second
	// writeAttempts and queryAttempts are how often a request is sent at most while the
	// cluster is busy or away.
	writeAttempts = 6
	queryAttempts = 2
)

// New returns an engine.
func New(o Options) (*Engine, error) {
	if analyzers()[o.Language] == "" {
		return nil, fmt.Errorf("there is no analyzer for the language %q", o.Language)
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,99}$`).MatchString(o.Name) {
		return nil, fmt.Errorf("%q cannot begin the name of an index", o.Name)
	}
	c := client{endpoint: o.Endpoint, http: o.HTTP, credentials: o.Credentials, clock: o.Clock, attempts: writeAttempts}
	e := &Engine{Options: o, client: c, query: c}
	e.query.attempts = queryAttempts
	return e, nil
}

// serving returns the manifest, which may be a second old.
func (e *Engine) serving(ctx context.Context) (manifest.Manifest, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock()
	if !e.readAt.IsZero() && now.Sub(e.readAt) < checkInterval {
		return e.newest, nil
	}
	m, err := e.Manifests.Read(ctx)
	if err == nil {
		e.newest, e.readAt = m, now
	}
	return m, err
}

// forget makes the next query read the manifest.
func (e *Engine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.readAt = time.Time{}
}

// Search implements [search.Engine]. While OpenSearch does not answer, or refuses the
// function, the error is [surgical.CodeDependencyUnavailable].
func (e *Engine) Search(ctx context.Context, q search.Query, depth int) (search.Candidates, error) {
	found, err := e.searchOnce(ctx, q, depth)
	if noIndex(err) {
		// It may have been replaced more than an hour ago.
		e.forget()
		found, err = e.searchOnce(ctx, q, depth)
	}
	switch {
	case noIndex(err):
		e.Log.ErrorContext(ctx, "index_missing", "error", err.Error())
		return found, search.Damaged(err)
	case unanswered(err):
		return found, outage.Unavailable(err, "OpenSearch does not answer; the log of the function search says why")
	}
	return found, err
}

func (e *Engine) searchOnce(ctx context.Context, q search.Query, depth int) (search.Candidates, error) {
	m, err := e.serving(ctx)
	if err != nil {
		return search.Candidates{}, err
	}
	if !m.Exists() || m.Format != manifest.OpenSearch {
		return search.Candidates{}, search.NotReady()
	}
	found := search.Candidates{Mode: search.Lexical, AsOf: time.UnixMicro(m.AsOf).UTC()}
	var vector []float32
	switch {
	case e.Model == "":
	case m.Model != e.Model || m.Dimensions == 0:
		found.Reason = search.NoVectors(e.Model)
	default:
		vector, err = e.vectorOf(ctx, m, q)
		switch {
		case err != nil && (ctx.Err() != nil || unanswered(err)):
			return found, err
		case err != nil:
			e.Log.WarnContext(ctx, "query_not_embedded", "error", err.Error())
			found.Reason = search.NoEmbedder
		default:
			found.Mode, found.Model = search.Hybrid, e.Model
		}
	}
	depth = min(depth, maxDepth)
	var total int
	if vector != nil {
		found.Found, total, err = e.fused(ctx, m, q, vector, depth)
	} else {
		found.Found, total, err = e.ranking(ctx, m, q, wordsBody(q, depth))
	}
	found.Found = found.Found[:min(depth, len(found.Found))]
	found.More = total > depth && len(found.Found) == depth && depth < maxDepth
	return found, err
}

// ranking returns what a query's search finds, best first, and how many chunks there are: the
// number may end beyond the depth of the search.
func (e *Engine) ranking(ctx context.Context, m manifest.Manifest, q search.Query, body []byte) ([]search.Candidate, int, error) {
	var answer searchAnswer
	if err := e.query.call(ctx, http.MethodPost, "/"+m.Index+"/_search", url.Values{"preference": {copiesFor(q)}}, body, &answer); err != nil {
		return nil, 0, err
	}
	if answer.Shards.Failed > 0 || answer.TimedOut {
		return nil, 0, &failure{Status: http.StatusServiceUnavailable, Type: "partial", Reason: "only a part of the index answered"}
	}
	found := make([]search.Candidate, len(answer.Hits.Hits))
	for i, hit := range answer.Hits.Hits {
		var err error
		if found[i], err = hit.candidate(); err != nil {
			return nil, 0, fmt.Errorf("read OpenSearch's answer: %w", err)
		}
	}
	return found, answer.Hits.Total.Value, nil
}

// copiesFor names the copies of the shards that answer a query. All its pages come from the
// same ones: another copy has other segments, so chunks may have another order there.
func copiesFor(q search.Query) string {
	sought := q.Text
	if q.SimilarTo != nil {
		sought = q.SimilarTo.Key() // its text may change between two pages
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(sought)) // it never fails
	return hex.EncodeToString(hash.Sum(nil))
}

// fused ranks by words and by a vector. The server's own fusion has no order that is the same
// however much is looked at, and no bound for what is similar to an entity.
func (e *Engine) fused(ctx context.Context, m manifest.Manifest, q search.Query, vector []float32, depth int) (found []search.Candidate, total int, err error) {
	r := search.Rankings{Limit: max(depth, search.Fused)}
	group, ctx := parallel.WithContext(ctx)
	group.Go(func() (err error) {
		r.Words, r.Total, err = e.ranking(ctx, m, q, wordsBody(q, r.Limit))
		return err
	})
	group.Go(func() (err error) {
		r.Near, err = e.near(ctx, m, q, vector, r.Limit)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, 0, err
	}
	found, total = r.Ranked(q, e.Resembling)
	return found, total, nil
}

// near ranks by a vector. The scores are cosines.
func (e *Engine) near(ctx context.Context, m manifest.Manifest, q search.Query, vector []float32, depth int) ([]search.Candidate, error) {
	near, _, err := e.ranking(ctx, m, q, nearBody(q, vector, firstNearest, depth))
	if err != nil {
		return nil, err
	}
	if depth > firstNearest && len(near) == firstNearest {
		deeper, _, err := e.ranking(ctx, m, q, nearBody(q, vector, maxDepth, depth))
		if err != nil {
			return nil, err
		}
		idOf := func(c search.Candidate) string { return search.ChunkID(c.Ref, c.Document, c.Chunk) }
		known := map[string]bool{}
		for _, c := range near {
			known[idOf(c)] = true
		}
		near = append(near, slices.DeleteFunc(deeper, func(c search.Candidate) bool { return known[idOf(c)] })...)
		near = near[:min(depth, len(near))]
	}
	for i := range near {
		near[i].Score = cosine(near[i].Score)
	}
	return near, nil
}

// vectorOf returns the vector that a query is compared by.
func (e *Engine) vectorOf(ctx context.Context, m manifest.Manifest, q search.Query) ([]float32, error) {
	var own [][]float32
	if q.SimilarTo != nil {
		var err error
		if own, err = e.own(ctx, m, *q.SimilarTo); err != nil {
			return nil, err
		}
	}
	return search.QueryVector(ctx, e.Embed, q.Text, own, m.Dimensions)
}
