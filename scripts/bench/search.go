package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

const (
	indexedChunks = 100_000
	chunksOfOne   = 5
	dimensions    = 384
	chunkWords    = 100
	vocabulary    = 100_000
	queries       = 200
	model         = "synthetic/384"
)

// library makes texts whose words are as unevenly distributed as those of a language, and
// vectors without a meaning.
type library struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newLibrary(seed uint64) *library {
	random := rand.New(rand.NewPCG(seed, 7))
	return &library{random, rand.NewZipf(random, 1.05, 4, vocabulary-1)}
}

func (l *library) text(words int) string {
	var b strings.Builder
	for range words {
		fmt.Fprintf(&b, "w%dx ", l.zipf.Uint64())
	}
	return b.String()
}

func (l *library) vector() []float32 {
	v, norm := make([]float32, dimensions), 0.0
	for i := range v {
		x := l.random.NormFloat64()
		v[i], norm = float32(x), norm+x*x
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

func (l *library) entity(iid int64) search.Change {
	d := search.Document{ID: "entity", Indexed: search.Indexed{Hash: fmt.Sprintf("%064x", iid), Chunks: chunksOfOne, Model: model}}
	for range chunksOfOne {
		d.Texts, d.Vectors = append(d.Texts, l.text(chunkWords)), append(d.Vectors, l.vector())
	}
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
	return search.Change{Ref: ref, Facets: search.Facets{State: "opened", Author: fmt.Sprint("user", iid%50)}, Put: []search.Document{d}}
}

// searching measures the embedded search engine with 100,000 chunks. Times are of the
// processor, so that other processes hardly count.
func searching(ctx context.Context) (figures []figure, err error) {
	dir, err := os.MkdirTemp("", "lorehook-bench-search-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, names := fakedynamodb.New()
	store := manifest.NewStore(db.Client(), names.State)
	objects := fakes3.New(time.Now)
	asked := newLibrary(2)
	engine := func() (*embedded.Engine, error) {
		return embedded.New(embedded.Options{
			Manifests: store, Objects: bucket.New(objects.Client(), "index"), Dir: dir, Language: language.Default, Model: model,
			Embed: func(context.Context, string) ([]float32, error) { return asked.vector(), nil },
			Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		})
	}
	builder, err := engine()
	if err != nil {
		return nil, err
	}
	began := processor()
	if err := builder.Rebuild(ctx, search.Position{Cursor: "0", AsOf: time.Now()}, everything()); err != nil {
		return nil, err
	}
	built := processor() - began
	if err := builder.Close(); err != nil {
		return nil, err
	}
	m, err := store.Read(ctx)
	if err != nil {
		return nil, err
	}
	add := func(name string, value float64, unit string, limit float64) {
		figures = append(figures, newFigure("search of 100,000 chunks: "+name, value, unit, 0, limit))
	}
	add("a rebuild, without reading the tables", built.Seconds(), "s of processor", 0)
	add("base without vectors", float64(m.Base.Catalog.Bytes+m.Base.Texts.Bytes)/indexedChunks, "bytes a chunk", 1024)
	add("vectors", float64(m.Base.Vectors.Bytes)/indexedChunks, "bytes a chunk", 0)
	add("what a cold start reads", float64(m.Base.Catalog.Bytes+m.Base.Texts.Bytes+m.Base.Vectors.Bytes)/1e6, "MB", 0)
	err = searched(ctx, engine, asked, add)
	return figures, err
}

func searched(ctx context.Context, engine func() (*embedded.Engine, error), asked *library, add func(string, float64, string, float64)) error {
	began := processor()
	reader, err := engine()
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	if _, err := reader.Search(ctx, search.Query{Text: asked.text(3)}, 200); err != nil {
		return err
	}
	add("cold start to the first answer", (processor() - began).Seconds(), "s of processor", 3)
	var took []time.Duration
	first := processor()
	for range queries {
		text := asked.text(2 + asked.random.IntN(3))
		began := processor()
		found, err := reader.Search(ctx, search.Query{Text: text}, 200)
		if err != nil {
			return err
		}
		if found.Mode != search.Hybrid {
			return fmt.Errorf("a query was answered as %s: %s", found.Mode, found.Reason)
		}
		took = append(took, processor()-began)
	}
	mean := (processor() - first) / queries
	slices.Sort(took)
	add("query with fusion, p50", milliseconds(took[queries/2]), "ms of processor", 0)
	add("query with fusion, p95", milliseconds(took[queries*95/100]), "ms of processor", 150)
	add("queries on two processors", 2/mean.Seconds(), "a second", 0)
	return nil
}

func everything() iter.Seq2[search.Change, error] {
	return func(yield func(search.Change, error) bool) {
		l := newLibrary(1)
		for iid := range int64(indexedChunks / chunksOfOne) {
			if !yield(l.entity(iid+1), nil) {
				return
			}
		}
	}
}

// processor is the time that this process has used of all processors.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
