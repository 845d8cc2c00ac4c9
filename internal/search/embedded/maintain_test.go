package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// compact lets so much time pass that removed text has to go, and maintains the index.
func (w *world) compact(e search.Engine) {
	w.Helper()
	w.Pass(surgical.CompactRemoved)
	before := w.manifest()
	w.Maintain(e)
	if after := w.manifest(); after.Base.Texts.Key == before.Base.Texts.Key {
		w.Fatal("the index was not compacted")
	}
}

func (w *world) manifest() manifest.Manifest {
	w.Helper()
	m, err := w.Manifests.Read(w.Context())
	w.Must(err)
	return m
}

// named are the keys of the objects that the manifest and its batches name.
func (w *world) named() (keys []string) {
	w.Helper()
	m := w.manifest()
	batches, err := w.Manifests.Batches(w.Context(), m.Journal, m.From(), m.Last)
	w.Must(err)
	for _, o := range m.Objects() {
		keys = append(keys, o.Key)
	}
	for _, b := range batches {
		keys = append(keys, b.Key)
	}
	return keys
}

func (w *world) keys() []string { return slices.Sorted(maps.Keys(w.bucket.Contents())) }

func TestMaintain_JoinsManyBatchesWithTheBase(t *testing.T) {
	w := newWorld(t)
	writer, warm := w.Engine(), w.Engine()
	w.Rebuild(writer, searchtest.Entity(1, "first crash"))
	w.Words(warm, "crash")
	for i := range int64(surgical.MaxIndexBatches) {
		w.Apply(writer, searchtest.Entity(2+i, fmt.Sprintf("crash number%d", i)))
	}
	w.Maintain(writer)
	m := w.manifest()
	w.Same("batches", 0, m.Behind())
	w.Same("entities", surgical.MaxIndexBatches+1, m.Base.Entities)
	for name, e := range map[string]search.Engine{"a warm reader": warm, "a cold reader": w.Engine()} {
		w.Same(name, []string{"1#issue#150/entity/0"}, w.Words(e, "number148"))
	}
	w.Apply(writer, searchtest.Entity(1, "no failure"))
	w.Pass(time.Second)
	w.Same("a batch behind the new base", []string{}, w.Words(warm, "first"))
}

// Whatever an indexer writes during a backfill, each query is answered, from an index that
// lacks nothing but what was written a moment ago: also in the middle of a compaction.
func TestMaintain_KeepsNoQueryWaitingDuringABackfill(t *testing.T) {
	w := newWorld(t)
	reader := w.Engine()
	applied, compacting, during := 0, false, 0
	query := func() {
		w.Pass(time.Second)
		found, err := reader.Search(t.Context(), search.Query{Text: "crash"}, 1000)
		w.Must(err)
		if len(found.Found) != applied {
			t.Errorf("%d of %d batches are in the answer", len(found.Found), applied)
		}
	}
	writer, err := embedded.New(embedded.Options{
		Manifests: w.Manifests, Dir: t.TempDir(), Language: w.Language, Confidential: w.Confidential, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
		Objects: bucket.New(w.bucket.Client(cloud.InterceptAPI("s3", func(_ context.Context, _ cloud.Call, send func() error) error {
			if compacting {
				during++
				query()
			}
			return send()
		})), "index"),
	})
	w.Must(err)
	defer func() { w.Must(writer.Close()) }()
	w.Rebuild(writer)
	for i := range surgical.MaxIndexBatches + 10 {
		w.Apply(writer, searchtest.Entity(int64(i+1), "a crash"))
		if applied++; applied%20 == 0 {
			query()
		}
		compacting = true
		w.Maintain(writer)
		compacting = false
		if behind := w.manifest().Behind(); behind >= surgical.MaxIndexBatches {
			t.Errorf("%d batches are behind the base", behind)
		}
	}
	query()
	if during < 4 {
		t.Errorf("only %d queries came in the middle of maintenance", during)
	}
}

func TestMaintain_LeavesNothingOfARemovedWordForADay(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	secret := "xylophonist"
	w.Rebuild(e, searchtest.Entity(1, "a "+secret+" crash"), searchtest.Entity(2, "a crash"))
	w.Apply(e, searchtest.Entity(3, secret))
	w.Apply(e, search.Change{Ref: searchtest.Issue(3), Gone: true}, searchtest.Entity(1, "a crash"))
	removed := w.Now
	if !w.contains(secret) {
		t.Fatal("the word was not in the bucket")
	}
	for w.Now.Sub(removed) < 24*time.Hour-surgical.IndexerTimeout {
		w.Pass(5 * time.Minute)
		w.Maintain(e)
	}
	if w.contains(secret) {
		t.Errorf("the bucket still has the word after a day: %v", w.keys())
	}
	w.Same("what stays", 2, len(w.Words(w.Engine(), "crash")))
}

// contains reports whether any object has the word.
func (w *world) contains(word string) bool {
	w.Helper()
	for key, content := range w.bucket.Contents() {
		has, err := embedded.Has(key, content, word, w.TempDir())
		w.Must(err)
		if has {
			w.Logf("%s has %s", key, word)
			return true
		}
	}
	return false
}

func TestMaintain_DeletesWhatNoManifestNamesAfterAnHour(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	first := w.manifest().Base.Texts.Key
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	w.bucket.Corrupt("batch/orphan", []byte("of a writer that died"))
	w.Pass(surgical.IndexUnnamed - time.Minute)
	w.Maintain(e)
	if !slices.Contains(w.keys(), first) {
		t.Error("an object was deleted within the hour")
	}
	w.Pass(2 * time.Minute)
	w.Maintain(e)
	w.Pass(surgical.IndexUnnamed)
	w.Maintain(e)
	if keys := w.keys(); slices.Contains(keys, first) || slices.Contains(keys, "batch/orphan") {
		t.Errorf("still there: %v", keys)
	}
	for _, key := range w.named() {
		if !slices.Contains(w.keys(), key) {
			t.Errorf("%s was deleted although it is named", key)
		}
	}
}

func TestMaintain_FindsDamagedObjects(t *testing.T) {
	for name, content := range map[string][]byte{"missing": nil, "changed": []byte("something else")} {
		for _, kind := range []string{"texts", "catalog", "batch"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				w := newWorld(t)
				e, warm := w.Engine(), w.Engine()
				w.Rebuild(e, searchtest.Entity(1, "a crash"))
				w.Apply(e, searchtest.Entity(2, "another crash"))
				w.Same("before", 2, len(w.Words(warm, "crash")))
				for _, key := range w.keys() {
					if strings.HasPrefix(key, kind) {
						w.bucket.Corrupt(key, content)
					}
				}
				w.Pass(time.Minute)
				if _, err := e.Maintain(t.Context()); !errors.Is(err, search.ErrDamaged) {
					t.Errorf("got %v", err)
				}
				w.Same("a warm reader", 2, len(w.Words(warm, "crash")))
				if kind == "batch" {
					w.Same("a cold reader", []string{"1#issue#1/entity/0"}, w.Words(w.Engine(), "crash"))
				} else {
					_, err := w.Engine().Search(t.Context(), search.Query{Text: "crash"}, 10)
					w.Same("a cold reader", surgical.CodeIndexNotReady, surgical.CodeOf(err))
				}
				w.Rebuild(e, searchtest.Entity(1, "a crash"), searchtest.Entity(2, "another crash"))
				w.Same("a cold reader after the rebuild", 2, len(w.Words(w.Engine(), "crash")))
				w.Maintain(e)
			})
		}
	}
}

func TestMaintain_ChecksManyObjectsByTheirList(t *testing.T) {
	for name, content := range map[string][]byte{"missing": nil, "changed": []byte("something else")} {
		for _, kind := range []string{"texts", "catalog", "batch"} {
			w := newWorld(t)
			requests := map[string]int{}
			e, err := embedded.New(embedded.Options{
				Manifests: w.Manifests, Dir: t.TempDir(), Language: w.Language, Confidential: w.Confidential, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
				Objects: bucket.New(w.bucket.Client(cloud.InterceptAPI("s3", func(_ context.Context, call cloud.Call, send func() error) error {
					requests[call.Operation]++
					return send()
				})), "index"),
			})
			w.Must(err)
			w.Rebuild(e, searchtest.Entity(1, "a crash"))
			for n := range 20 {
				w.Apply(e, searchtest.Entity(int64(n+2), "a crash"))
			}
			w.Maintain(e) // sweeps as well
			clear(requests)
			w.Pass(surgical.IndexCheckInterval)
			w.Maintain(e)
			w.Same("requests", map[string]int{"ListObjectsV2": 1}, requests)
			for _, key := range w.keys() {
				if strings.HasPrefix(key, kind) {
					w.bucket.Corrupt(key, content)
					break
				}
			}
			w.Pass(surgical.IndexCheckInterval)
			if _, err := e.Maintain(t.Context()); !errors.Is(err, search.ErrDamaged) {
				t.Errorf("%s %s: got %v", kind, name, err)
			}
			w.Must(e.Close())
		}
	}
}

func TestMaintain_LooksAtTheObjectsOnceInAWhile(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	w.Maintain(e)
	w.bucket.Corrupt(w.manifest().Base.Texts.Key, nil)
	w.Pass(surgical.IndexCheckInterval - time.Minute)
	w.Maintain(e)
	w.Pass(time.Minute)
	if _, err := e.Maintain(t.Context()); !errors.Is(err, search.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestSearch_OfADamagedBaseUsesTheOneBefore(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	w.Rebuild(e, searchtest.Entity(1, "a crash"), searchtest.Entity(2, "a crash"))
	w.Apply(e, searchtest.Entity(3, "a crash"), search.Change{Ref: searchtest.Issue(2), Gone: true})
	w.compact(e)
	w.Apply(e, searchtest.Entity(4, "a crash"))
	w.bucket.Corrupt(w.manifest().Base.Texts.Key, []byte("something else"))
	w.Same("found", []string{"1#issue#1/entity/0", "1#issue#3/entity/0", "1#issue#4/entity/0"}, slices.Sorted(slices.Values(w.Words(w.Engine(), "crash"))))
}

func TestApply_OfALoserLeavesNoObject(t *testing.T) {
	w := newWorld(t)
	one, two := w.Engine(), w.Engine()
	w.Rebuild(one, searchtest.Entity(1, "a crash"))
	at := w.Position(one)
	w.Apply(one, searchtest.Entity(2, "a crash"))
	objects := w.keys()
	if err := two.Apply(t.Context(), at, search.Position{Cursor: "1"}, []search.Change{searchtest.Entity(3, "a crash")}); !errors.Is(err, search.ErrMoved) {
		t.Errorf("got %v", err)
	}
	w.Same("objects", objects, w.keys())
}

// A previous base that is damaged is forgotten; if others change the manifest while it is
// looked at, maintenance goes on.
func TestMaintain_LeavesADamagedPreviousBaseToTheNextCheckIfOthersAreFaster(t *testing.T) {
	w := newWorld(t)
	other := w.Engine()
	w.Rebuild(other, searchtest.Entity(1, "a crash"))
	w.Apply(other, searchtest.Entity(1, "a failure"))
	w.compact(other)
	previous := w.manifest().Previous.Base.Texts.Key
	w.bucket.Corrupt(previous, nil)
	meets := true
	e, err := embedded.New(embedded.Options{
		Manifests: w.Manifests, Dir: t.TempDir(), Language: w.Language, Confidential: w.Confidential, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
		Objects: bucket.New(w.bucket.Client(cloud.InterceptAPI("s3", func(_ context.Context, call cloud.Call, send func() error) error {
			if in, ok := call.Input.(*s3.HeadObjectInput); ok && *in.Key == previous && meets {
				meets = false
				w.Apply(other, searchtest.Entity(2, "a crash"))
			}
			return send()
		})), "index"),
	})
	w.Must(err)
	defer func() { w.Must(e.Close()) }()
	w.Maintain(e)
	if meets || w.manifest().Previous == nil {
		t.Fatal("nobody was faster")
	}
	w.Pass(surgical.IndexCheckInterval)
	w.Maintain(e)
	if w.manifest().Previous != nil {
		t.Error("the damaged base is still named")
	}
	w.Same("found", 1, len(w.Words(w.Engine(), "crash")))
}

// A switch of the engine may end while the former indexer still compacts.
func TestMaintain_LeavesAnIndexInOpenSearchThatReplacedItsOwn(t *testing.T) {
	w := newWorld(t)
	w.Rebuild(w.Engine(), searchtest.Entity(1, "a crash"))
	w.Apply(w.Engine(), searchtest.Entity(1, "a failure"))
	var switched manifest.Manifest
	e, err := embedded.New(embedded.Options{
		Manifests: w.Manifests, Dir: t.TempDir(), Language: w.Language, Confidential: w.Confidential, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
		Objects: bucket.New(w.bucket.Client(cloud.InterceptAPI("s3", func(_ context.Context, call cloud.Call, send func() error) error {
			if _, ok := call.Input.(*s3.PutObjectInput); ok && !switched.Exists() {
				m := w.manifest()
				next := manifest.Manifest{Format: manifest.OpenSearch, Edition: m.Edition + 1, Index: "issues"}
				next.Replace(m, w.Now)
				var err error
				switched, err = w.Manifests.Swap(t.Context(), m, next)
				w.Must(err)
			}
			return send()
		})), "index"),
	})
	w.Must(err)
	defer func() { w.Must(e.Close()) }()
	w.Pass(surgical.CompactRemoved)
	w.Maintain(e)
	if !switched.Exists() {
		t.Fatal("nothing was compacted")
	}
	w.Same("the manifest", switched, w.manifest())
}
