package embedded_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

// world is a bucket and a manifest that any number of engines share.
type world struct {
	testing.TB
	bucket    *fakes3.Bucket
	manifests *manifest.Store
	dir       string
	now       time.Time
	model     string
	language  string
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC), dir: t.TempDir(), language: "en"}
	w.bucket = fakes3.New(func() time.Time { return w.now })
	db, _ := fakedynamodb.New()
	w.manifests = manifest.NewStore(db.Client(), tables.State().Name)
	return w
}

// engine returns another process's engine.
func (w *world) engine() *embedded.Engine {
	w.Helper()
	e, err := embedded.New(embedded.Options{
		Manifests: w.manifests, Objects: bucket.New(w.bucket.Client(), "index"), Dir: w.dir, Language: w.language, Model: w.model,
		Embed: func(_ context.Context, text string) ([]float32, error) { return meaning(text), nil },
		Clock: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
	})
	w.must(err)
	w.Cleanup(func() { w.must(e.Close()) })
	return e
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// pass lets so much time pass that every engine reads the manifest again.
func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// rebuild builds the index from the changes.
func (w *world) rebuild(e *embedded.Engine, changes ...search.Change) {
	w.Helper()
	w.must(e.Rebuild(w.Context(), search.Position{Cursor: "0", AsOf: w.now}, all(changes)))
	w.pass(time.Second)
}

func all(changes []search.Change) iter.Seq2[search.Change, error] {
	return func(yield func(search.Change, error) bool) {
		for _, change := range changes {
			if !yield(change, nil) {
				return
			}
		}
	}
}

// apply adds a batch.
func (w *world) apply(e *embedded.Engine, changes ...search.Change) {
	w.Helper()
	at := w.position(e)
	w.must(e.Apply(w.Context(), at, search.Position{Cursor: at.Cursor + "+", AsOf: w.now}, changes))
	w.pass(time.Second)
}

func (w *world) position(e *embedded.Engine) search.Position {
	w.Helper()
	at, rebuild, err := e.Position(w.Context())
	w.must(err)
	if rebuild != "" {
		w.Fatalf("the index has to be rebuilt: %s", rebuild)
	}
	return at
}

// find returns the ids of the chunks that are found.
func (w *world) find(e *embedded.Engine, q search.Query) []string {
	w.Helper()
	found, err := e.Search(w.Context(), q, 50)
	w.must(err)
	ids := []string{}
	for _, c := range found.Found {
		ids = append(ids, search.ChunkID(c.Ref, c.Document, c.Chunk))
	}
	return ids
}

func (w *world) words(e *embedded.Engine, text string) []string {
	w.Helper()
	return w.find(e, search.Query{Text: text})
}

func issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

// entity is an entity whose only document has the chunks.
func entity(iid int64, chunks ...string) search.Change {
	return search.Change{Ref: issue(iid), Facets: search.Facets{State: "opened"}, Put: []search.Document{document("entity", chunks...)}}
}

func document(id string, chunks ...string) search.Document {
	hash := sha256.Sum256([]byte(fmt.Sprint(chunks)))
	return search.Document{ID: id, Indexed: search.Indexed{Hash: hex.EncodeToString(hash[:]), Chunks: len(chunks)}, Texts: chunks}
}

// embedded returns the change with a vector for each chunk.
func (w *world) embedded(change search.Change) search.Change {
	for i := range change.Put {
		d := &change.Put[i]
		d.Model = w.model
		for _, text := range d.Texts {
			d.Vectors = append(d.Vectors, meaning(text))
		}
	}
	return change
}

// meaning is a model that knows two things: whether a text is about animals, and
// whether about the weather.
func meaning(text string) []float32 {
	v := []float32{0.01, 0.01}
	for i, words := range [][]string{{"cat", "feline", "kitten", "dog"}, {"rain", "snow", "drizzle"}} {
		for _, word := range words {
			if slices.Contains(strings.Fields(text), word) {
				v[i]++
			}
		}
	}
	return v
}
