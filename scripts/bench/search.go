package main

import (
	"archive/tar"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
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
	// depth is how many candidates a query wants.
	depth = 200
	// searchStarts is how many pairs of a cold start and its floor are measured.
	searchStarts = 5
	// bytesASecond is what a function reads from S3, as assumed.
	bytesASecond = 75e6
)

// searching measures the embedded search engine with 100,000 chunks. Times are of the
// processor, so that other processes hardly count.
func searching(ctx context.Context) ([]figure, error) {
	dir, err := os.MkdirTemp("", "lorehook-bench-search-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &searchBench{searched: newSearched(dir, time.Now), brute: newBruteForce()}
	for _, measure := range []func(context.Context) error{b.rebuild, b.coldStart, b.queries, b.whole} {
		if err := measure(ctx); err != nil {
			return nil, err
		}
	}
	b.brute = nil
	figures, err := backfilled(ctx, dir)
	return append(b.figures, figures...), err
}

// searched is an index in memory, and the source of its queries.
type searched struct {
	dir     string
	clock   func() time.Time
	store   *manifest.Store
	objects *fakes3.Bucket
	// asking is held by who takes something from asked.
	asking sync.Mutex
	asked  *library
}

func newSearched(dir string, clock func() time.Time) *searched {
	db, names := fakedynamodb.New()
	return &searched{dir: dir, clock: clock, store: manifest.NewStore(db.Client(), names.State), objects: fakes3.New(clock), asked: newLibrary(2)}
}

// engine returns another process's engine, on a client of the bucket. The vectors of its
// queries have no meaning.
func (s *searched) engine(objects *bucket.Bucket) (*embedded.Engine, error) {
	return s.engineWith(objects, func(context.Context, string) ([]float32, error) {
		s.asking.Lock()
		defer s.asking.Unlock()
		return s.asked.vector(), nil
	})
}

// engineWith is [searched.engine] with what embeds its queries.
func (s *searched) engineWith(objects *bucket.Bucket, embed search.Embedder) (*embedded.Engine, error) {
	return embedded.New(embedded.Options{
		Manifests: s.store, Objects: objects, Dir: s.dir, Language: language.Default, Model: model, Embed: embed,
		Clock: s.clock, Log: slog.New(slog.DiscardHandler),
	})
}

func (s *searched) bucket() *bucket.Bucket { return bucket.New(s.objects.Client(), "index") }

// ask answers a query with these words.
func (s *searched) ask(ctx context.Context, e *embedded.Engine, words []uint32) (search.Candidates, error) {
	return e.Search(ctx, search.Query{Text: textOf(words)}, depth)
}

// query is [searched.ask], and fails if vectors take no part.
func (s *searched) query(ctx context.Context, e *embedded.Engine, words []uint32) error {
	found, err := s.ask(ctx, e, words)
	if err == nil && found.Mode != search.Hybrid {
		err = fmt.Errorf("a query was answered as %s: %s", found.Mode, found.Reason)
	}
	return err
}

// wanted are the words of another query.
func (s *searched) wanted() []uint32 { return s.asked.words(2 + s.asked.random.IntN(3)) }

type searchBench struct {
	*searched
	brute   *bruteForce
	base    manifest.Base
	figures []figure
}

func (b *searchBench) add(name string, value float64, unit string, floor, limit float64) *figure {
	b.figures = append(b.figures, newFigure("search of 100,000 chunks: "+name, value, unit, floor, limit))
	return &b.figures[len(b.figures)-1]
}

func (b *searchBench) rebuild(ctx context.Context) error {
	builder, err := b.engine(b.bucket())
	if err != nil {
		return err
	}
	began := processor()
	if err := builder.Rebuild(ctx, search.Position{Cursor: "0", AsOf: b.clock()}, everything()); err != nil {
		return err
	}
	built := processor() - began
	if err := builder.Close(); err != nil {
		return err
	}
	m, err := b.store.Read(ctx)
	if err != nil {
		return err
	}
	b.base = m.Base
	read := float64(b.base.Catalog.Bytes + b.base.Texts.Bytes + b.base.Vectors.Bytes)
	b.add("a rebuild, without reading the tables", built.Seconds(), "s of processor", 0, 0)
	b.add("base without vectors", float64(b.base.Catalog.Bytes+b.base.Texts.Bytes)/indexedChunks, "bytes a chunk", b.brute.textBytes()/indexedChunks, 1024)
	b.add("vectors", float64(b.base.Vectors.Bytes)/indexedChunks, "bytes a chunk", 4*dimensions, 0)
	b.add("what a cold start reads", read/1e6, "MB", 0, 0)
	b.add("  that at 75 MB/s", read/bytesASecond, "s", 0, 0)
	return nil
}

// coldStart compares a start up to the first answer with reading the objects.
func (b *searchBench) coldStart(ctx context.Context) error {
	var failed error
	start := func() {
		reader, err := b.engine(b.bucket())
		if err == nil {
			err = errors.Join(b.query(ctx, reader, b.wanted()), reader.Close())
		}
		failed = errors.Join(failed, err)
	}
	p := pairOf(searchStarts, start, func() { failed = errors.Join(failed, b.unpack(ctx)) })
	b.add("cold start to the first answer", p.value.Seconds(), "s of processor", p.floor.Seconds(), 3).Ratio = p.ratio
	return failed
}

// unpack reads the objects of the base as they are: the archive to files, the catalog to
// its lines, the vectors to numbers.
func (b *searchBench) unpack(ctx context.Context) error {
	dir, err := os.MkdirTemp(b.dir, "bare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	objects := b.bucket()
	for key, read := range map[string]func(io.Reader) error{
		b.base.Catalog.Key: func(r io.Reader) error {
			return decompressed(r, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
		},
		b.base.Texts.Key: func(r io.Reader) error {
			return decompressed(r, func(r io.Reader) error { return untar(r, dir) })
		},
		b.base.Vectors.Key: func(r io.Reader) error {
			return binary.Read(r, binary.LittleEndian, make([]float32, b.base.Vectors.Bytes/4))
		},
	} {
		body, err := objects.Get(ctx, key)
		if err == nil {
			err = errors.Join(read(body), body.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func decompressed(r io.Reader, read func(io.Reader) error) error {
	z, err := zstd.NewReader(r)
	if err != nil {
		return err
	}
	defer z.Close()
	return read(z)
}

func untar(r io.Reader, dir string) error {
	for n, in := 0, tar.NewReader(r); ; n++ {
		_, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		file, err := os.Create(filepath.Join(dir, fmt.Sprint(n)))
		if err != nil {
			return err
		}
		_, err = io.Copy(file, in)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
}

// queries compares queries of a warm process with looking at all chunks.
func (b *searchBench) queries(ctx context.Context) error {
	reader, err := b.engine(b.bucket())
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	if err := b.query(ctx, reader, b.wanted()); err != nil {
		return err
	}
	var took []time.Duration
	first := processor()
	for range queries {
		words := b.wanted()
		began := processor()
		if err := b.query(ctx, reader, words); err != nil {
			return err
		}
		took = append(took, processor()-began)
	}
	mean := (processor() - first) / queries
	var failed error
	p := pair(func() { failed = errors.Join(failed, b.query(ctx, reader, b.wanted())) }, func() { b.brute.search(b.wanted(), b.asked.vector(), depth) })
	b.add("query with fusion, median", milliseconds(p.value), "ms of processor", milliseconds(p.floor), 0).Ratio = p.ratio
	b.add("query with fusion, p95", milliseconds(percentile95(took)), "ms of processor", 0, 150)
	return errors.Join(failed, b.together(ctx, reader, mean))
}

func percentile95(took []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(took))[len(took)*95/100]
}

// processor is the time that this process has used of all processors.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
