package embedded_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// rebuildDuring rebuilds the index from one entity. do is called after that was read.
func (w *world) rebuildDuring(e search.Engine, at string, read search.Change, do func()) error {
	return e.Rebuild(w.Context(), search.Position{Cursor: at, AsOf: w.Now}, func(yield func(search.Change, error) bool) {
		yield(read, nil)
		do()
	})
}

// What others applied to the old base is followed again, from where the rebuild began.
func TestRebuild_GoesOnFromWhereItBegan(t *testing.T) {
	for name, meantime := range map[string]func(w *world, other search.Engine){
		"others added a batch": func(w *world, other search.Engine) { w.Apply(other, searchtest.Entity(3, "a crash")) },
		// It leaves the cursor where it was.
		"others added the first part of a batch": func(w *world, other search.Engine) {
			at := w.Position(other)
			w.Must(other.Apply(w.Context(), at, at, []search.Change{searchtest.Entity(3, "a crash")}))
		},
		"others joined their batches with the base": func(w *world, other search.Engine) {
			w.Apply(other, searchtest.Entity(3, "a crash"), searchtest.Entity(4, "a crash"))
			for i := range surgical.MaxIndexBatches {
				w.Apply(other, searchtest.Entity(5, fmt.Sprint("noise", i)))
			}
			w.Maintain(other)
			w.Same("batches behind the base", 0, w.manifest().Behind())
		},
		"nobody did anything": func(*world, search.Engine) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e, other := w.Engine(), w.Engine()
			w.Rebuild(e, searchtest.Entity(1, "a crash"))
			w.Apply(e, searchtest.Entity(2, "a crash"))
			reader := w.Engine()
			w.Same("found before", 2, len(w.Words(reader, "crash")))
			w.Must(w.rebuildDuring(e, "0+", searchtest.Entity(2, "a failure"), func() { meantime(w, other) }))
			w.Pass(time.Second)
			w.Same("cursor", "0+", w.Position(other).Cursor)
			w.Same("batches", 0, w.manifest().Behind())
			w.Same("found of the old base", []string{}, w.Words(w.Engine(), "crash"))
			w.Apply(other, searchtest.Entity(3, "a crash"))
			w.Pass(time.Second)
			w.Same("found", []string{"1#issue#3/entity/0"}, w.Words(w.Engine(), "crash"))
			w.Same("found by a process with a copy of the old one", []string{"1#issue#3/entity/0"}, w.Words(reader, "crash"))
			w.Same("found of the rebuild", []string{"1#issue#2/entity/0"}, w.Words(w.Engine(), "failure"))
		})
	}
}

// What a rebuild read is behind the cursor, and not in the base that it replaces. So a
// process that finds the new base damaged must not answer from the old one.
func TestRebuild_LeavesNoBaseThatLacksWhatItRead(t *testing.T) {
	for name, meantime := range map[string]func(w *world){
		"alone":                  func(*world) {},
		"while others add":       func(w *world) { w.Apply(w.Engine(), searchtest.Entity(2, "a crash")) },
		"with another language":  func(w *world) { w.Language = "de" },
		"with vectors":           func(w *world) { w.Model = "two-things" },
		"with other confidences": func(w *world) { w.Confidential = surgical.Include },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := w.Engine()
			w.Rebuild(e, searchtest.Entity(1, "a secret crash"))
			meantime(w)
			w.Must(w.rebuildDuring(w.Engine(), "1", w.Embedded(searchtest.Entity(1, "a crash")), func() {}))
			w.Pass(time.Second)
			for _, o := range w.manifest().Base.Objects() {
				content := w.bucket.Contents()[o.Key]
				w.bucket.Corrupt(o.Key, []byte("something else"))
				found, err := w.Engine().Search(t.Context(), search.Query{Text: "secret"}, 10)
				if !errors.Is(err, search.ErrDamaged) || surgical.CodeOf(err) != surgical.CodeIndexNotReady {
					t.Errorf("damaged %s: %v, %v", o.Key, found.Found, err)
				}
				w.bucket.Corrupt(o.Key, content)
			}
		})
	}
}

// otherSettings change what an index is made with.
func otherSettings() map[string]func(w *world) {
	return map[string]func(w *world){
		"another model":    func(w *world) { w.Model = "two-things" },
		"another language": func(w *world) { w.Language = "de" },
		"another policy":   func(w *world) { w.Confidential = surgical.Include },
	}
}

// Others may follow the source with a former setting until the rebuild ends. What they
// apply has no vectors of the new model, so it is read again.
func TestRebuild_KeepsNothingThatWasMadeWithOtherSettings(t *testing.T) {
	for name, change := range otherSettings() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.Engine()
			w.Rebuild(before, searchtest.Entity(1, "a crash"))
			w.Apply(before, searchtest.Entity(2, "a crash"))
			change(w)
			e := w.Engine()
			w.Must(w.rebuildDuring(e, "0+", w.Embedded(searchtest.Entity(1, "a crash")), func() { w.Apply(before, searchtest.Entity(3, "a crash")) }))
			w.Pass(time.Second)
			w.Same("cursor", "0+", w.Position(e).Cursor)
			w.Same("batches", 0, w.manifest().Behind())
			w.Apply(e, w.Embedded(searchtest.Entity(3, "a crash")))
			w.Same("found", []string{"1#issue#1/entity/0", "1#issue#3/entity/0"}, slices.Sorted(slices.Values(w.Words(w.Engine(), "crash"))))
		})
	}
}

// Others may still rebuild with a former setting, which is of no use to anybody.
func TestRebuild_IsOfUseAfterOneWithAFormerSetting(t *testing.T) {
	for name, change := range otherSettings() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			former := w.Engine()
			w.Rebuild(former, searchtest.Entity(1, "a crash"))
			change(w)
			e := w.Engine()
			w.Must(w.rebuildDuring(e, "1", w.Embedded(searchtest.Entity(1, "a failure")), func() {
				w.Must(w.rebuildDuring(former, "2", searchtest.Entity(1, "a crash"), func() {}))
			}))
			w.Pass(time.Second)
			w.Same("cursor", "1", w.Position(e).Cursor)
			w.Same("found", []string{"1#issue#1/entity/0"}, w.Words(w.Engine(), "failure"))
		})
	}
}

// One rebuild reads an entity, which changes, and another one begins after that and ends
// first. The cursor is behind the change then, so nothing would ever bring it to the base
// of the one that ends last.
func TestRebuild_IsOfNoUseOnceALaterOneHasEnded(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"of an index":               func(w *world) { w.Rebuild(w.Engine(), searchtest.Entity(1, "a crash")) },
		"of none":                   func(*world) {},
		"of one of another setting": func(w *world) { w.Rebuild(w.Engine(), searchtest.Entity(1, "a crash")); w.Model = "two-things" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			prepare(w)
			slow, fast := w.Engine(), w.Engine()
			var objects []string
			err := w.rebuildDuring(slow, "1", w.Embedded(searchtest.Entity(1, "a crash")), func() {
				w.Must(w.rebuildDuring(fast, "2", w.Embedded(searchtest.Entity(1, "a failure")), func() {}))
				objects = w.keys()
			})
			if !errors.Is(err, search.ErrMoved) {
				t.Errorf("got %v", err)
			}
			w.Pass(time.Second)
			w.Same("objects", objects, w.keys())
			w.Same("cursor", "2", w.Position(fast).Cursor)
			w.Same("entities", 1, w.manifest().Base.Entities)
			reader := w.Engine()
			w.Same("found", []string{"1#issue#1/entity/0"}, w.Words(reader, "failure"))
			if w.Model == "" {
				w.Same("found of what was read first", []string{}, w.Words(reader, "crash"))
			}
		})
	}
}

// The response to the swap is lost, and another indexer changes the manifest that it left.
func TestCompact_KeepsABaseOfWhichItDoesNotKnowThatItIsNamed(t *testing.T) {
	w := newWorld(t)
	other := w.Engine()
	w.Rebuild(other, searchtest.Entity(1, "a crash"))
	w.Apply(other, searchtest.Entity(1, "another crash"), searchtest.Entity(2, "a crash"))
	w.Pass(surgical.CompactRemoved)
	e := w.Losing(func() { w.Apply(other, searchtest.Entity(3, "a crash")) })
	w.Must(e.Compact(t.Context()))
	w.Same("batches behind the base", 1, w.manifest().Behind())
	w.Same("found", 3, len(w.Words(w.Engine(), "crash")))
}
