package embedded_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main((*testing.M).Run, m, map[string]memory.Task{
		"rebuild": indexTask(rebuildAll), "compact": indexTask(compactAll), "search": indexTask(searchAll), "follow": indexTask(followAll),
	}))
}

// largeIndex is an index whose objects are in a directory, so that one process after
// another opens it.
type largeIndex struct {
	Dir string
	// Entities have 5 chunks each, whose vectors have so many Dimensions.
	Entities, Dimensions int
	// Apart reports that entities have one chunk each, of one word: no other index with as
	// many chunks has a larger catalog.
	Apart bool
}

const (
	largeModel      = "large"
	largeChunks     = 5
	largeWords      = 100
	largeVocabulary = 100_000
)

// opened is an index that a task has opened.
type opened struct {
	largeIndex
	manifests *manifest.Store
	engine    *embedded.Engine
	now       time.Time
}

// indexTask opens the index, does what is measured, and notes its manifest and the most
// bytes that were in temporary files.
func indexTask(do func(context.Context, *opened) error) memory.Task {
	return func(ctx context.Context, raw json.RawMessage) error {
		o := &opened{now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}
		if err := json.Unmarshal(raw, &o.largeIndex); err != nil {
			return err
		}
		db, _ := fakedynamodb.New()
		o.manifests = manifest.NewStore(db.Client(), tables.State().Name)
		if err := o.restore(ctx); err != nil {
			return err
		}
		temporary := filepath.Join(o.Dir, "tmp")
		if err := os.MkdirAll(temporary, 0o700); err != nil {
			return err
		}
		var err error
		o.engine, err = embedded.New(embedded.Options{
			Manifests: o.manifests, Objects: bucket.New(fakes3.OfDirectory(filepath.Join(o.Dir, "objects")), "index"), Dir: temporary,
			Language: language.Default, Confidential: surgical.Exclude, Model: largeModel, Embed: func(context.Context, string) ([]float32, error) { return o.vector(rand.New(rand.NewPCG(3, 3))), nil },
			Clock: func() time.Time { return o.now }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return err
		}
		stop := watch(temporary)
		err = do(ctx, o)
		most := stop()
		if err != nil {
			return err
		}
		return o.note(ctx, most)
	}
}

// restore puts the manifest that the process before noted.
func (o *opened) restore(ctx context.Context) error {
	raw, err := os.ReadFile(filepath.Join(o.Dir, "manifest.json"))
	if os.IsNotExist(err) {
		return nil
	}
	var m manifest.Manifest
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err == nil {
		_, err = o.manifests.Swap(ctx, manifest.Manifest{}, m)
	}
	return err
}

func (o *opened) note(ctx context.Context, storage int64) error {
	m, err := o.manifests.Read(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "storage"), fmt.Append(nil, storage>>20), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.Dir, "manifest.json"), raw, 0o600)
}

// watch looks how many bytes are in the files of a directory until stop is called, which
// returns the most.
func watch(dir string) (stop func() int64) {
	done, ended := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			var sum int64
			_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return nil
				}
				if info, err := entry.Info(); err == nil { // unless it was removed in the meantime
					sum += info.Size()
				}
				return nil
			})
			most = max(most, sum)
			select {
			case <-tick.C:
			case <-done:
				ended <- most
				return
			}
		}
	}()
	return func() int64 { close(done); return <-ended }
}

func (o *opened) vector(random *rand.Rand) []float32 {
	v := make([]float32, o.Dimensions)
	for i := range v {
		v[i] = random.Float32() - 0.5
	}
	return v
}

// changes are entities whose words are as unevenly distributed as those of a language.
func (o *opened) changes(first, n int) iter.Seq2[search.Change, error] {
	chunks, ofWords := largeChunks, largeWords
	if o.Apart {
		chunks, ofWords = 1, 1
	}
	return func(yield func(search.Change, error) bool) {
		random := rand.New(rand.NewPCG(uint64(first), 7))
		words := rand.NewZipf(random, 1.05, 4, largeVocabulary-1)
		for iid := first; iid < first+n; iid++ {
			d := search.Document{ID: "entity", Indexed: search.Indexed{Hash: fmt.Sprintf("%032x%032x", random.Uint64(), iid), Chunks: chunks, Model: largeModel}}
			for range chunks {
				var text strings.Builder
				for range ofWords {
					fmt.Fprintf(&text, "w%dx ", words.Uint64())
				}
				d.Texts, d.Vectors = append(d.Texts, text.String()), append(d.Vectors, o.vector(random))
			}
			if !yield(search.Change{Ref: issue(iid), Facets: search.Facets{State: "opened", Author: fmt.Sprint("user", iid%50)}, Put: []search.Document{d}}, nil) {
				return
			}
		}
	}
}

func issue(iid int) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: int64(iid)}}
}

func rebuildAll(ctx context.Context, o *opened) error {
	return o.engine.Rebuild(ctx, search.Position{Cursor: "0", AsOf: o.now}, o.changes(1, o.Entities))
}

// compactAll changes entities, and joins the batches with the base.
func compactAll(ctx context.Context, o *opened) error {
	const batches = 26
	ofOne := min(200, o.Entities/batches)
	for n := range batches {
		at, _, err := o.engine.Position(ctx)
		if err != nil {
			return err
		}
		var changes []search.Change
		for change := range o.changes(1+n*ofOne, ofOne) {
			changes = append(changes, change)
		}
		if _, err := o.engine.Known(ctx, nil); err != nil {
			return err
		}
		if err := o.engine.Apply(ctx, at, search.Position{Cursor: fmt.Sprint(n + 1), AsOf: o.now}, changes); err != nil {
			return err
		}
	}
	before, err := o.manifests.Read(ctx)
	if err != nil {
		return err
	}
	o.now = o.now.Add(surgical.CompactRemoved)
	if err := o.engine.Compact(ctx); err != nil {
		return err
	}
	after, err := o.manifests.Read(ctx)
	if err == nil && after.Base.Texts.Key == before.Base.Texts.Key {
		err = fmt.Errorf("%d batches were not joined", before.Behind())
	}
	return err
}

// replace has another index take the place of this one, as a rebuild does.
func (o *opened) replace(ctx context.Context) error {
	m, err := o.manifests.Read(ctx)
	if err != nil {
		return err
	}
	next := m
	next.Edition++
	next.Rebuilt, next.Base.Through, next.Previous, next.Pending = next.Edition, next.Last, nil, manifest.Pending{}
	_, err = o.manifests.Swap(ctx, m, next)
	return err
}

// searchAll answers queries from the index, then from one that took its place.
func searchAll(ctx context.Context, o *opened) error {
	similar := issue(7)
	for range 2 {
		for _, q := range []search.Query{{Text: "w1x w20x w300x"}, {Text: "w5x w77x", SimilarTo: &similar}} {
			found, err := o.engine.Search(ctx, q, 12_800)
			if err != nil {
				return err
			}
			if len(found.Found) == 0 || found.Mode != search.Hybrid {
				return fmt.Errorf("%d chunks were found, %s %s", len(found.Found), found.Mode, found.Reason)
			}
		}
		if err := o.replace(ctx); err != nil {
			return err
		}
		o.now = o.now.Add(time.Minute)
	}
	return nil
}

// The index at the size at which docs/search.md says that the engine ends: rebuilt and
// compacted by the builder, and searched, each in a process of its own.
func TestEngine_StaysWithinItsMemoryAndStorageAtItsEnd(t *testing.T) {
	for _, c := range ends() {
		t.Run(fmt.Sprintf("%d chunks of %d dimensions", c.Entities*largeChunks, c.Dimensions), func(t *testing.T) {
			c.Dir = t.TempDir()
			for _, task := range []string{"rebuild", "compact", "search"} {
				memory.Within(t, task, surgical.IndexMemory, c)
				var storage int
				raw, err := os.ReadFile(filepath.Join(c.Dir, "storage"))
				if err == nil {
					_, err = fmt.Sscan(string(raw), &storage)
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: at most %d MB of %d MB of temporary storage", task, storage, surgical.IndexStorage)
				if storage > surgical.IndexStorage*memory.Percent/100 {
					t.Errorf("%s: %d MB are more than %d%% of its storage", task, storage, memory.Percent)
				}
			}
		})
	}
}

// ends are the largest indexes: with vectors of the local model, and of Bedrock's. Unless
// make memory runs the test, a small one shows that it still measures what it should.
func ends() []largeIndex {
	if !memory.Full() {
		return []largeIndex{{Entities: 400, Dimensions: 16}}
	}
	return []largeIndex{{Entities: 60_000, Dimensions: 384}, {Entities: 20_000, Dimensions: vectorspace.TitanDimensions}}
}
