package finder_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakes3 "gitlab.com/lorehook/lorehook/test/fake/s3"
)

// copies is what readers see of a few entities. It changes between any two readings.
type copies struct {
	// mu is held by each reading: an indexer reads several entities at a time.
	mu       sync.Mutex
	random   *rand.Rand
	entities map[surgical.EntityRef]*copied
	// log has the entities in the order of their changes: a feed.
	log []surgical.EntityRef
	// shown has every text that was shown since a query began.
	shown map[string]bool
	// quiet stops the changes.
	quiet bool
}

type copied struct {
	hidden    bool
	head      surgical.Head
	documents map[string]content.Document
}

// words are what texts consist of; the last one is in few of them.
var words = []string{"crash", "login", "timeout", "import", "label", "xylophonist"}

func newCopies(random *rand.Rand) *copies {
	c := &copies{random: random, entities: map[surgical.EntityRef]*copied{}, shown: map[string]bool{}}
	for iid := range int64(8) {
		ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid + 1}}
		c.entities[ref] = &copied{head: surgical.Head{Ref: ref, Revision: 1}, documents: map[string]content.Document{}}
		c.write(ref, "entity")
	}
	return c
}

func (c *copies) refs() []surgical.EntityRef {
	return slices.SortedFunc(maps.Keys(c.entities), func(a, b surgical.EntityRef) int { return strings.Compare(a.Key(), b.Key()) })
}

// write gives a document a new text.
func (c *copies) write(ref surgical.EntityRef, id string) {
	e := c.entities[ref]
	e.head.Revision++
	text := fmt.Sprintf("%s %s number %d of %s", words[c.random.IntN(len(words))], words[c.random.IntN(len(words))], e.head.Revision, ref.Key())
	hash := sha256.Sum256([]byte(text))
	e.documents[id] = content.Document{Document: surgical.Document{ID: id, Text: text, Hash: hex.EncodeToString(hash[:])}, Revision: e.head.Revision}
	c.changed(ref)
}

func (c *copies) changed(ref surgical.EntityRef) {
	c.log = append(c.log, ref)
	c.remember(ref)
}

// remember records what is shown of the entity now.
func (c *copies) remember(ref surgical.EntityRef) {
	if e := c.entities[ref]; !e.hidden {
		for id, d := range e.documents {
			if d.Revision >= e.head.DocumentsVisibleFrom {
				c.shown[ref.Key()+id+d.Text] = true
			}
		}
	}
}

// begin starts a query: only what is shown from now on counts.
func (c *copies) begin() {
	c.shown = map[string]bool{}
	for ref := range c.entities {
		c.remember(ref)
	}
}

// change does something to an entity.
func (c *copies) change() {
	if c.quiet {
		return
	}
	refs := c.refs()
	ref := refs[c.random.IntN(len(refs))]
	e := c.entities[ref]
	discussion := fmt.Sprintf("discussion#%d", c.random.IntN(3))
	switch c.random.IntN(6) {
	case 0, 1:
		c.write(ref, "entity")
	case 2:
		c.write(ref, discussion)
	case 3: // a comment is deleted
		delete(e.documents, discussion)
		c.changed(ref)
	case 4: // it is gone, or there again: then all documents have to be made anew
		e.hidden = !e.hidden
		e.head.Revision++
		e.head.DocumentsVisibleFrom = e.head.Revision
		c.changed(ref)
	case 5: // it turns confidential, or public: the same for what is stored
		e.head.Revision++
		e.head.DocumentsVisibleFrom = e.head.Revision
		c.changed(ref)
	}
}

func (c *copies) sometimes() {
	if c.random.IntN(3) == 0 {
		c.change()
	}
}

// VisibleDocumentsOf implements finder.Truth: documents first, then the heads.
func (c *copies) VisibleDocumentsOf(_ context.Context, ids map[surgical.EntityRef][]string) (map[surgical.EntityRef]content.ShownDocuments, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sometimes()
	found := map[surgical.EntityRef][]content.Document{}
	for ref, documents := range ids {
		for _, id := range documents {
			if d, ok := c.entities[ref].documents[id]; ok {
				found[ref] = append(found[ref], d)
			}
		}
	}
	c.sometimes()
	shown := map[surgical.EntityRef]content.ShownDocuments{}
	for ref := range ids {
		if e := c.entities[ref]; !e.hidden {
			shown[ref] = content.ShownDocuments{Head: e.head, Documents: visible(e.head, found[ref])}
		}
	}
	return shown, nil
}

func visible(head surgical.Head, documents []content.Document) []content.Document {
	return slices.DeleteFunc(documents, func(d content.Document) bool { return d.Revision < head.DocumentsVisibleFrom })
}

// VisibleHead implements finder.Truth.
func (c *copies) VisibleHead(_ context.Context, ref surgical.EntityRef) (surgical.Head, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head(ref)
}

func (c *copies) head(ref surgical.EntityRef) (surgical.Head, error) {
	if e := c.entities[ref]; !e.hidden {
		return e.head, nil
	}
	return surgical.Head{}, surgical.Concealed(ref, surgical.Gone)
}

// VisibleDocument implements finder.Truth and search.Content.
func (c *copies) VisibleDocument(_ context.Context, ref surgical.EntityRef, id string) (content.Document, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.entities[ref].documents[id]
	c.sometimes()
	head, err := c.head(ref)
	if err != nil || d.Revision < head.DocumentsVisibleFrom {
		return content.Document{}, err
	}
	return d, nil
}

// VisibleDocuments implements search.Content.
func (c *copies) VisibleDocuments(_ context.Context, ref surgical.EntityRef) (content.ShownDocuments, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	documents := slices.Collect(maps.Values(c.entities[ref].documents))
	c.sometimes()
	head, err := c.head(ref)
	return content.ShownDocuments{Head: head, Documents: visible(head, documents)}, err
}

// VisibleVectors implements search.Content.
func (c *copies) VisibleVectors(context.Context, surgical.EntityRef, string) (map[string]content.Vector, error) {
	return nil, errors.New("there are no vectors")
}

// Now and After implement search.Source on the log.
func (c *copies) Now(context.Context) (search.Position, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return search.Position{Cursor: fmt.Sprint(len(c.log))}, nil
}

func (c *copies) After(_ context.Context, from search.Position, limit int) (search.Changed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var at int
	if _, err := fmt.Sscan(from.Cursor, &at); err != nil {
		return search.Changed{}, search.ErrRestarted
	}
	end := min(at+limit, len(c.log))
	to := from
	to.Cursor = fmt.Sprint(end)
	return search.Changed{Refs: slices.Compact(slices.SortedFunc(slices.Values(c.log[at:end]), func(a, b surgical.EntityRef) int { return strings.Compare(a.Key(), b.Key()) })), To: to, More: end < len(c.log)}, nil
}

// frozen is an engine whose indexer stops for a while before it writes: others come
// first, and its write arrives late.
type frozen struct {
	*embedded.Engine
	late func()
}

// Apply implements search.Engine.
func (f frozen) Apply(ctx context.Context, from, to search.Position, changes []search.Change) error {
	f.late()
	return f.Engine.Apply(ctx, from, to, changes)
}

// Rebuild implements search.Engine.
func (f frozen) Rebuild(ctx context.Context, at search.Position, changes iter.Seq2[search.Change, error]) error {
	return f.Engine.Rebuild(ctx, at, func(yield func(search.Change, error) bool) {
		for change, err := range changes {
			f.late()
			if !yield(change, err) {
				return
			}
		}
	})
}

// races is how many queries run against changes.
const races = 10_000

func TestFind_ShowsNothingThatARead_WouldNotHaveShown(t *testing.T) {
	n := races
	if testing.Short() {
		n /= 20
	}
	now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	random := rand.New(rand.NewPCG(1, 2))
	objects := fakes3.New(clock)
	db, _ := fakedynamodb.New()
	analyzer, err := language.New(language.Default)
	if err != nil {
		t.Fatal(err)
	}
	engine := func() *embedded.Engine {
		e, err := embedded.New(embedded.Options{
			Manifests: manifest.NewStore(db.Client(), tables.State().Name), Objects: bucket.New(objects.Client(), "index"),
			Dir: t.TempDir(), Language: language.Default, Clock: clock, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	}
	c := newCopies(random)
	walk := func(context.Context, *surgical.EntityRef, int) iter.Seq2[[]surgical.EntityRef, error] {
		return func(yield func([]surgical.EntityRef, error) bool) { yield(c.refs(), nil) }
	}
	indexer := func(e search.Engine) *search.Indexer {
		return &search.Indexer{Engine: e, Source: c, Content: c, Walk: walk, Log: slog.New(slog.DiscardHandler)}
	}
	prompt := indexer(engine())
	slow := indexer(frozen{engine(), func() {
		for random.IntN(2) == 0 {
			c.change()
			if random.IntN(3) == 0 {
				_ = prompt.Run(t.Context()) // its failure is that of a writer that lost
			}
		}
	}})
	f := &finder.Finder{Engine: engine(), Truth: c, Words: analyzer}
	if err := prompt.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	hits := 0
	for race := range n {
		c.change()
		switch random.IntN(40) {
		case 0, 1, 2, 3:
			err = prompt.Run(t.Context())
		case 4, 5:
			err = slow.Run(t.Context())
		}
		if err != nil && !errors.Is(err, search.ErrMoved) {
			t.Fatal(err)
		}
		now = now.Add(time.Duration(random.IntN(120)) * time.Second)
		c.begin()
		answer, err := f.Find(t.Context(), search.Query{Text: words[random.IntN(len(words))], Limit: 1 + random.IntN(8)})
		if err != nil {
			t.Fatal(err)
		}
		for _, hit := range answer.Hits {
			hits++
			for _, p := range hit.Passages {
				if !c.shown[hit.Head.Ref.Key()+p.Document+p.Text] {
					t.Fatalf("race %d: %s shows %q of %s, which no read since the query began would have shown", race, hit.Head.Ref, p.Text, p.Document)
				}
			}
		}
	}
	if hits < n/4 {
		t.Errorf("only %d hits in %d races", hits, n)
	}
	c.quiet = true
	if err := prompt.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	for ref, e := range c.entities {
		for id, d := range e.documents {
			if e.hidden || d.Revision < e.head.DocumentsVisibleFrom {
				continue
			}
			answer, err := f.Find(t.Context(), search.Query{Text: d.Text, Limit: 50})
			found := err == nil && slices.ContainsFunc(answer.Hits, func(h search.Hit) bool {
				return h.Head.Ref == ref && slices.ContainsFunc(h.Passages, func(p search.Passage) bool { return p.Document == id && p.Text == d.Text })
			})
			if !found {
				t.Errorf("%s of %s is not found once all is quiet: %v", id, ref, err)
			}
		}
	}
}
