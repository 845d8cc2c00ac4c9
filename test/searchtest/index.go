// Package searchtest states what every search engine promises, for tests of any of them.
package searchtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// Index is an index with its manifest, which any number of engines share.
type Index struct {
	testing.TB
	// DB has the table of the manifest.
	DB        *fakedynamodb.DB
	Manifests *manifest.Store
	// Now is the time of every engine, and Language, Model and Confidential are those of the
	// engines that are opened from now on.
	Now          time.Time
	Language     string
	Model        string
	Confidential surgical.Policy
	// Resembling is that of the engines that are opened from now on.
	Resembling float64

	open func() search.Engine
}

// Backend prepares what the engines of an index share, and returns a function that opens
// another process's engine. Engines are closed with the test.
type Backend func(*Index) (open func() search.Engine)

// NewIndex returns an index that does not exist yet.
func NewIndex(t testing.TB, backend Backend) *Index {
	db, _ := fakedynamodb.New()
	x := &Index{
		TB: t, DB: db, Manifests: manifest.NewStore(db.Client(), tables.State().Name),
		Now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC), Language: "en", Confidential: surgical.Exclude,
	}
	x.open = backend(x)
	return x
}

// Engine returns another process's engine.
func (x *Index) Engine() search.Engine {
	x.Helper()
	return x.open()
}

// Clock is the engines' clock.
func (x *Index) Clock() time.Time { return x.Now }

// Refused is a word that the embedder does not answer for.
const Refused = "refused"

// Embed is the engines' embedder of queries.
func (x *Index) Embed(_ context.Context, text string) ([]float32, error) {
	if strings.Contains(text, Refused) {
		return nil, errors.New("the embedder is away")
	}
	return Meaning(text), nil
}

// Must fails the test on an error.
func (x *Index) Must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// Pass lets time pass; after a second, every engine reads the manifest again.
func (x *Index) Pass(d time.Duration) { x.Now = x.Now.Add(d) }

// Rebuild builds the index from the changes.
func (x *Index) Rebuild(e search.Engine, changes ...search.Change) {
	x.Helper()
	x.Must(e.Rebuild(x.Context(), search.Position{Cursor: "0", AsOf: x.Now}, All(changes)))
	x.Pass(time.Second)
}

// Losing returns an engine that does not receive the response to its first swap of the
// manifest, and sends it again: the SDK does so. then is called in between.
func (x *Index) Losing(then func()) search.Engine {
	x.Helper()
	reliable, lost := x.Manifests, false
	x.Manifests = manifest.NewStore(x.DB.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		if put, writes := input.(*dynamodb.PutItemInput); writes && !lost && put.Item["cursor"] != nil {
			lost = true
			_, err := send()
			x.Must(err)
			then()
		}
		return send()
	}), tables.State().Name)
	e := x.Engine()
	x.Manifests = reliable
	x.Cleanup(func() {
		if !lost {
			x.Error("the manifest was not replaced")
		}
	})
	return e
}

// All yields the changes.
func All(changes []search.Change) iter.Seq2[search.Change, error] {
	return func(yield func(search.Change, error) bool) {
		for _, change := range changes {
			if !yield(change, nil) {
				return
			}
		}
	}
}

// Apply adds the changes behind the engine's position.
func (x *Index) Apply(e search.Engine, changes ...search.Change) {
	x.Helper()
	at := x.Position(e)
	x.Must(e.Apply(x.Context(), at, search.Position{Cursor: at.Cursor + "+", AsOf: x.Now}, changes))
	x.Pass(time.Second)
}

// Maintain maintains the index, and compacts it if that is due, like an indexer.
func (x *Index) Maintain(e search.Engine) {
	x.Helper()
	due, err := e.Maintain(x.Context())
	x.Must(err)
	if due {
		x.Must(e.Compact(x.Context()))
	}
}

// Position returns the position of an index that need not be rebuilt.
func (x *Index) Position(e search.Engine) search.Position {
	x.Helper()
	at, rebuild, err := e.Position(x.Context())
	x.Must(err)
	if rebuild != "" {
		x.Fatalf("the index has to be rebuilt: %s", rebuild)
	}
	return at
}

// Find returns the ids of the chunks that are found.
func (x *Index) Find(e search.Engine, q search.Query) []string {
	x.Helper()
	found, err := e.Search(x.Context(), q, 50)
	x.Must(err)
	ids := []string{}
	for _, c := range found.Found {
		ids = append(ids, search.ChunkID(c.Ref, c.Document, c.Chunk))
	}
	return ids
}

// Words finds by words, without filters.
func (x *Index) Words(e search.Engine, text string) []string {
	x.Helper()
	return x.Find(e, search.Query{Text: text})
}

// Same compares, and reports the difference.
func (x *Index) Same(what string, want, got any) {
	x.Helper()
	same(x, what, want, got)
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Issue is an issue of project 1.
func Issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

// Entity is an issue whose only document has the chunks.
func Entity(iid int64, chunks ...string) search.Change {
	return search.Change{Ref: Issue(iid), Facets: search.Facets{State: "opened"}, Put: []search.Document{Document("entity", chunks...)}}
}

// Document is a document with the chunks.
func Document(id string, chunks ...string) search.Document {
	hash := sha256.Sum256([]byte(fmt.Sprint(chunks)))
	return search.Document{ID: id, Indexed: search.Indexed{Hash: hex.EncodeToString(hash[:]), Chunks: len(chunks)}, Texts: chunks}
}

// Embedded returns the change with a vector of the index's model for each chunk.
func (x *Index) Embedded(change search.Change) search.Change {
	for i := range change.Put {
		d := &change.Put[i]
		d.Model = x.Model
		for _, text := range d.Texts {
			d.Vectors = append(d.Vectors, Meaning(text))
		}
	}
	return change
}

// Meaning is a model that knows two things: whether a text is about animals, and
// whether about the weather.
func Meaning(text string) []float32 {
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
