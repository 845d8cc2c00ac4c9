package searchtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
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

// VisibleDocument implements finder.Truth.
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

// VisibleDocumentsWithTexts implements search.Content. There are no vectors.
func (c *copies) VisibleDocumentsWithTexts(_ context.Context, ref surgical.EntityRef, _ string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	documents := slices.Collect(maps.Values(c.entities[ref].documents))
	for i, d := range documents {
		if wanted(d) {
			c.sometimes()
			documents[i] = c.entities[ref].documents[d.ID]
			take(documents[i], content.Embeddings{}, nil)
		}
	}
	c.sometimes()
	head, err := c.head(ref)
	return content.ShownDocuments{Head: head, Documents: visible(head, slices.DeleteFunc(documents, func(d content.Document) bool { return d.Revision == 0 }))}, err
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
