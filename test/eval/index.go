package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/viterin/vek/vek32"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/corpus"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

// depth is how many chunks of a ranking are looked at, as in the first round of a
// search.
const depth = 200

// index is a search index of a corpus as the product makes it, with an engine that
// compares words only, one that fuses vectors with them, and one that also leaves out what
// hardly resembles an entity, as the product does.
type index struct {
	words, both, similar *embedded.Engine
	dir                  string
	// rows are the vectors of all chunks.
	rows []row
}

// row is the vector of a chunk.
type row struct {
	entity, document string
	vector           []float32
}

// newIndex indexes a part of the entities.
func newIndex(ctx context.Context, entities []corpus.Entity, p part, vectors *Vectors) (x *index, err error) {
	x = &index{}
	if x.dir, err = os.MkdirTemp("", "lorehook-eval-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x, err = nil, errors.Join(err, x.close())
		}
	}()
	db, names := fakedynamodb.New()
	options := embedded.Options{
		Manifests: manifest.NewStore(db.Client(), names.State), Objects: bucket.New(fakes3.New(time.Now).Client(), "index"), Dir: x.dir,
		Language: language.Default, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	if x.words, err = embedded.New(options); err != nil {
		return nil, err
	}
	options.Model, options.Embed = vectors.Model(), vectors.one
	if x.both, err = embedded.New(options); err != nil {
		return nil, err
	}
	options.Resembling = vectorspace.Resembling(vectors.Model())
	if x.similar, err = embedded.New(options); err != nil {
		return nil, err
	}
	return x, x.both.Rebuild(ctx, search.Position{Cursor: "0", AsOf: time.Now()}, x.changes(ctx, entities, p, vectors))
}

func (x *index) close() error {
	var errs []error
	for _, engine := range []*embedded.Engine{x.words, x.both, x.similar} {
		if engine != nil {
			errs = append(errs, engine.Close())
		}
	}
	return errors.Join(append(errs, os.RemoveAll(x.dir))...)
}

// changes yields the entities as the product indexes them.
func (x *index) changes(ctx context.Context, entities []corpus.Entity, p part, vectors *Vectors) iter.Seq2[search.Change, error] {
	return func(yield func(search.Change, error) bool) {
		for _, e := range entities {
			change, err := changeOf(ctx, e, p, vectors)
			for _, d := range change.Put {
				for _, vector := range d.Vectors {
					x.rows = append(x.rows, row{e.Key(), d.ID, vector})
				}
			}
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

func changeOf(ctx context.Context, e corpus.Entity, p part, vectors *Vectors) (search.Change, error) {
	change := search.Change{Ref: e.Ref(), Facets: search.Facets{State: e.State, Author: e.Author, Labels: e.Labels}}
	documents, err := documentsOf(e, p)
	if err != nil {
		return change, fmt.Errorf("%s: %w", e.Key(), err)
	}
	for _, d := range documents {
		chunks := render.Chunks(d)
		put := search.Document{ID: d.ID, Indexed: search.Indexed{Hash: d.Hash, Chunks: len(chunks), Model: vectors.Model()}}
		for _, chunk := range chunks {
			put.Texts = append(put.Texts, chunk.Text)
		}
		if put.Vectors, err = vectors.Of(ctx, put.Texts); err != nil {
			return change, err
		}
		change.Put = append(change.Put, put)
	}
	return change, nil
}

// query returns it as the engines take it. A query that was taken from an entity, which is to
// be no hit, asks for what resembles that entity.
func (q Query) query() (search.Query, error) {
	if q.Self == "" {
		return search.Query{Text: q.Text}, nil
	}
	ref, err := surgical.ParseEntityRef(q.Self)
	return search.Query{Text: q.Text, SimilarTo: &ref}, err
}

// by returns the entities that an engine finds, best first. It fails if the engine does
// not search in the mode.
func (x *index) by(ctx context.Context, engine *embedded.Engine, mode search.Mode, q Query) ([]string, error) {
	asked, err := q.query()
	if err != nil {
		return nil, err
	}
	found, err := engine.Search(ctx, asked, depth)
	if err != nil {
		return nil, err
	}
	if found.Mode != mode {
		return nil, fmt.Errorf("%q was searched %s, want %s: %s", q.Text, found.Mode, mode, found.Reason)
	}
	keys := make([]string, len(found.Found))
	for i, c := range found.Found {
		keys[i] = c.Ref.Key()
	}
	return distinct(keys), nil
}

// byVectors returns the entities whose vectors are closest to the query's. The product
// has no such ranking: it shows what vectors contribute.
func (x *index) byVectors(ctx context.Context, vectors *Vectors, q Query) ([]string, error) {
	asked, err := x.vector(ctx, vectors, q)
	if err != nil {
		return nil, err
	}
	type scored struct {
		entity string
		score  float32
	}
	var all []scored
	for _, r := range x.rows {
		if r.entity != q.Self {
			all = append(all, scored{r.entity, vek32.Dot(asked, r.vector)})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	keys := make([]string, len(all))
	for i, s := range all {
		keys[i] = s.entity
	}
	return distinct(keys), nil
}

// vector returns that of the query's text, or the sum of those of the entity's own
// document.
func (x *index) vector(ctx context.Context, vectors *Vectors, q Query) ([]float32, error) {
	if q.Self == "" {
		return vectors.one(ctx, q.Text)
	}
	var sum []float32
	for _, r := range x.rows {
		switch {
		case r.entity != q.Self || r.document != render.EntityID:
		case sum == nil:
			sum = slices.Clone(r.vector)
		default:
			vek32.Add_Inplace(sum, r.vector)
		}
	}
	return sum, nil
}

// distinct returns the keys without those that come again.
func distinct(keys []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			all = append(all, key)
		}
	}
	return all
}
