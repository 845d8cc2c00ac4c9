package embedded_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// compact lets so much time pass that removed text has to go, and maintains the index.
func (w *world) compact(e *embedded.Engine) {
	w.Helper()
	w.pass(surgical.CompactRemoved)
	before := w.manifest()
	w.must(e.Maintain(w.Context()))
	if after := w.manifest(); after.Base.Texts.Key == before.Base.Texts.Key {
		w.Fatal("the index was not compacted")
	}
}

func (w *world) manifest() manifest.Manifest {
	w.Helper()
	m, err := w.manifests.Read(w.Context())
	w.must(err)
	return m
}

func (w *world) keys() []string { return slices.Sorted(maps.Keys(w.bucket.Contents())) }

func TestMaintain_JoinsManyBatchesWithTheBase(t *testing.T) {
	w := newWorld(t)
	writer, warm := w.engine(), w.engine()
	w.rebuild(writer, entity(1, "first crash"))
	w.words(warm, "crash")
	for i := range int64(surgical.MaxIndexBatches) {
		w.apply(writer, entity(2+i, fmt.Sprintf("crash number%d", i)))
	}
	w.must(writer.Maintain(t.Context()))
	m := w.manifest()
	same(t, "batches", 0, len(m.Batches))
	same(t, "entities", surgical.MaxIndexBatches+1, m.Base.Entities)
	for name, e := range map[string]*embedded.Engine{"a warm reader": warm, "a cold reader": w.engine()} {
		same(t, name, []string{"1#issue#150/entity/0"}, w.words(e, "number148"))
	}
	w.apply(writer, entity(1, "no failure"))
	w.pass(time.Second)
	same(t, "a batch behind the new base", []string{}, w.words(warm, "first"))
}

func TestMaintain_LeavesNothingOfARemovedWordForADay(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	secret := "xylophonist"
	w.rebuild(e, entity(1, "a "+secret+" crash"), entity(2, "a crash"))
	w.apply(e, entity(3, secret))
	w.apply(e, search.Change{Ref: issue(3), Gone: true}, entity(1, "a crash"))
	removed := w.now
	if !w.contains(secret) {
		t.Fatal("the word was not in the bucket")
	}
	for w.now.Sub(removed) < 24*time.Hour-surgical.IndexerTimeout {
		w.pass(5 * time.Minute)
		w.must(e.Maintain(t.Context()))
	}
	if w.contains(secret) {
		t.Errorf("the bucket still has the word after a day: %v", w.keys())
	}
	same(t, "what stays", 2, len(w.words(w.engine(), "crash")))
}

// contains reports whether any object has the word.
func (w *world) contains(word string) bool {
	w.Helper()
	for key, content := range w.bucket.Contents() {
		has, err := embedded.Has(key, content, word, w.TempDir())
		w.must(err)
		if has {
			w.Logf("%s has %s", key, word)
			return true
		}
	}
	return false
}

func TestMaintain_DeletesWhatNoManifestNamesAfterAnHour(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	w.rebuild(e, entity(1, "a crash"))
	first := w.manifest().Base.Texts.Key
	w.rebuild(e, entity(1, "a crash"))
	w.rebuild(e, entity(1, "a crash"))
	w.bucket.Corrupt("batch/orphan", []byte("of a writer that died"))
	w.pass(surgical.IndexUnnamed - time.Minute)
	w.must(e.Maintain(t.Context()))
	if !slices.Contains(w.keys(), first) {
		t.Error("an object was deleted within the hour")
	}
	w.pass(2 * time.Minute)
	w.must(e.Maintain(t.Context()))
	w.pass(surgical.IndexUnnamed)
	w.must(e.Maintain(t.Context()))
	if keys := w.keys(); slices.Contains(keys, first) || slices.Contains(keys, "batch/orphan") {
		t.Errorf("still there: %v", keys)
	}
	for _, o := range w.manifest().Named() {
		if !slices.Contains(w.keys(), o.Key) {
			t.Errorf("%s was deleted although it is named", o.Key)
		}
	}
}

func TestMaintain_FindsDamagedObjects(t *testing.T) {
	for name, content := range map[string][]byte{"missing": nil, "changed": []byte("something else")} {
		for _, kind := range []string{"texts", "catalog", "batch"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				w := newWorld(t)
				e, warm := w.engine(), w.engine()
				w.rebuild(e, entity(1, "a crash"))
				w.apply(e, entity(2, "another crash"))
				same(t, "before", 2, len(w.words(warm, "crash")))
				for _, key := range w.keys() {
					if strings.HasPrefix(key, kind) {
						w.bucket.Corrupt(key, content)
					}
				}
				w.pass(time.Minute)
				if err := e.Maintain(t.Context()); !errors.Is(err, search.ErrDamaged) {
					t.Errorf("got %v", err)
				}
				same(t, "a warm reader", 2, len(w.words(warm, "crash")))
				_, err := w.engine().Search(t.Context(), search.Query{Text: "crash"}, 10)
				same(t, "a cold reader", surgical.CodeIndexNotReady, surgical.CodeOf(err))
				w.rebuild(e, entity(1, "a crash"), entity(2, "another crash"))
				same(t, "a cold reader after the rebuild", 2, len(w.words(w.engine(), "crash")))
				w.must(e.Maintain(t.Context()))
			})
		}
	}
}

func TestSearch_OfADamagedBaseUsesTheOneBefore(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	w.rebuild(e, entity(1, "a crash"), entity(2, "a crash"))
	w.apply(e, entity(3, "a crash"), search.Change{Ref: issue(2), Gone: true})
	w.compact(e)
	w.apply(e, entity(4, "a crash"))
	w.bucket.Corrupt(w.manifest().Base.Texts.Key, []byte("something else"))
	same(t, "found", []string{"1#issue#1/entity/0", "1#issue#3/entity/0", "1#issue#4/entity/0"}, slices.Sorted(slices.Values(w.words(w.engine(), "crash"))))
}

func TestApply_OfTwoIndexersOneLoses(t *testing.T) {
	w := newWorld(t)
	one, two := w.engine(), w.engine()
	w.rebuild(one, entity(1, "a crash"))
	at := w.position(one)
	w.must(one.Apply(t.Context(), at, search.Position{Cursor: "1"}, []search.Change{entity(2, "a crash")}))
	objects := len(w.keys())
	err := two.Apply(t.Context(), at, search.Position{Cursor: "1"}, []search.Change{entity(3, "a crash")})
	if !errors.Is(err, search.ErrMoved) {
		t.Errorf("got %v", err)
	}
	same(t, "objects", objects, len(w.keys()))
	w.pass(time.Second)
	same(t, "found", 2, len(w.words(two, "crash")))
}

func TestRebuild_KeepsWhatWasAppliedMeanwhile(t *testing.T) {
	w := newWorld(t)
	e, warm := w.engine(), w.engine()
	w.rebuild(e, entity(1, "a crash"))
	w.words(warm, "crash")
	w.apply(e, entity(2, "a crash"))
	w.must(e.Rebuild(t.Context(), search.Position{Cursor: "0+", AsOf: w.now}, func(yield func(search.Change, error) bool) {
		yield(entity(1, "a crash"), nil)
		w.apply(w.engine(), entity(3, "a crash"))
		yield(entity(2, "a fire"), nil)
	}))
	w.pass(time.Second)
	same(t, "cursor", "0++", w.position(e).Cursor)
	for name, e := range map[string]*embedded.Engine{"warm": warm, "cold": w.engine()} {
		same(t, name, []string{"1#issue#1/entity/0", "1#issue#3/entity/0"}, slices.Sorted(slices.Values(w.words(e, "crash"))))
		same(t, name, []string{"1#issue#2/entity/0"}, w.words(e, "fire"))
	}
}

func TestRebuild_OfARequestIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	w.rebuild(e, entity(1, "a crash"))
	w.must(w.manifests.RequestRebuild(t.Context(), w.now))
	_, rebuild, err := e.Position(t.Context())
	w.must(err)
	same(t, "rebuild", "requested", rebuild)
	w.rebuild(e, entity(1, "a crash"))
	w.position(e)
}
