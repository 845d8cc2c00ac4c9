package searchtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// copies is what is stored of a few entities of two projects. It changes between any two
// readings.
type copies struct {
	clock func() time.Time
	model string
	// long is a document whose text is stored in items of its own.
	long content.Document

	// mu is held by each reading: an indexer reads several entities at a time.
	mu       sync.Mutex
	random   *rand.Rand
	entities map[surgical.EntityRef]*copied
	// hiddenAt says when a project was last hidden.
	hiddenAt map[int64]time.Time
	// written counts the texts.
	written int
	feed    changes
	// viewer is the policy of who searches, and seen what was shown to them since the
	// query began.
	viewer surgical.Policy
	seen   seen
	// quiet stops the changes.
	quiet bool
}

type copied struct {
	head       surgical.Head
	documents  map[string]content.Document
	embeddings map[string]content.Embeddings
}

// words are what texts consist of; the model knows the meaning of the last two.
var words = []string{"crash", "login", "timeout", "import", "label", "cat", "rain"}

var (
	states  = []string{"opened", "closed"}
	labels  = []string{"bug", "ui", "docs"}
	authors = []string{"ines", "omar"}
)

func newCopies(t testing.TB, random *rand.Rand, clock func() time.Time, model string) *copies {
	c := &copies{
		clock: clock, model: model, long: LongDocument(t), random: random,
		entities: map[surgical.EntityRef]*copied{}, hiddenAt: map[int64]time.Time{}, viewer: surgical.Exclude,
	}
	for n := range int64(8) {
		ref := surgical.EntityRef{ProjectID: 1 + n%2, Target: surgical.Target{Type: surgical.Issue, IID: n + 1}}
		c.entities[ref] = &copied{head: surgical.Head{Ref: ref}, documents: map[string]content.Document{}, embeddings: map[string]content.Embeddings{}}
		c.relabel(ref)
		c.write(ref, render.EntityID, false)
	}
	return c
}

func (c *copies) refs() []surgical.EntityRef {
	return slices.SortedFunc(maps.Keys(c.entities), func(a, b surgical.EntityRef) int { return strings.Compare(a.Key(), b.Key()) })
}

func oneOf[T any](random *rand.Rand, of []T) T { return of[random.IntN(len(of))] }

// change does something to an entity.
func (c *copies) change() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alter()
}

// sometimes is called between two readings.
func (c *copies) sometimes() {
	if c.random.IntN(3) == 0 {
		c.alter()
	}
}

func (c *copies) alter() {
	if c.quiet {
		return
	}
	ref := oneOf(c.random, c.refs())
	discussion := fmt.Sprintf("discussion#%d", c.random.IntN(3))
	switch c.random.IntN(30) {
	default:
		c.write(ref, render.EntityID, false)
	case 0, 1, 2, 3:
		c.write(ref, discussion, c.random.IntN(4) == 0)
	case 4: // a comment is deleted
		delete(c.entities[ref].documents, discussion)
		c.feed.add(ref, discussion)
	case 5, 6: // a document is embedded
		c.embed(ref, oneOf(c.random, []string{render.EntityID, discussion}))
	case 7, 8:
		c.relabel(ref)
	case 9:
		if !isPlain(ref) {
			c.lose(ref)
		}
	case 10:
		if !isPlain(ref) {
			c.turnConfidential(ref)
		}
	case 11: // a delivery calls it confidential
		c.entities[ref].head.HiddenSince = c.clock()
	case 12, 13: // it is fetched again, and public
		c.commit(ref).HiddenSince = time.Time{}
		if c.entities[ref].head.Attributes.Confidential {
			c.turnConfidential(ref)
		}
	case 14, 15, 16:
		c.remake(ref)
	case 17:
		if c.random.IntN(20) == 0 {
			c.hideProject(ref.ProjectID)
		}
	}
	c.changed(ref)
}

// isPlain reports whether an entity is one whose head never hides a document. Once a head has
// hidden some, it says so for ever.
func isPlain(ref surgical.EntityRef) bool { return ref.IID <= 3 }

// commit is what every commit does to the head. What was gone is there again, and all of
// its documents have to be made anew.
func (c *copies) commit(ref surgical.EntityRef) *surgical.Head {
	head := &c.entities[ref].head
	head.Revision++
	head.FetchedAt, head.FetchedUntil, head.UpdatedAt = c.clock(), c.clock(), c.clock()
	if head.Gone {
		head.Gone, head.DocumentsVisibleFrom = false, head.Revision
		c.label(head)
	}
	return head
}

// write gives a document a new text. Between the commit and the writing of the document,
// readers see the former text.
func (c *copies) write(ref surgical.EntityRef, id string, internal bool) {
	head, e := c.commit(ref), c.entities[ref]
	c.remember(ref)
	c.written++
	line := fmt.Sprintf("%s %s %s of %s", oneOf(c.random, words), oneOf(c.random, words), mark(c.written), ref.Key())
	stored, text := content.Document{}, line
	if id == render.EntityID && c.random.IntN(4) == 0 {
		stored, text = c.long, ""
		for n := range 80 {
			text += fmt.Sprintf("%s line %d\n", line, n)
		}
	}
	stored.ID, stored.Text = id, text
	e.documents[id] = rendered(stored, *head, internal)
	c.feed.add(ref, id)
}

// remake makes documents anew that the head hides, with the same texts. Their notes are
// public now.
func (c *copies) remake(ref surgical.EntityRef) {
	e := c.entities[ref]
	for id, d := range e.documents {
		if d.Revision < e.head.DocumentsVisibleFrom {
			e.documents[id] = rendered(d, e.head, false)
			c.feed.add(ref, id)
		}
	}
}

// rendered returns the document as it is made from a head.
func rendered(d content.Document, head surgical.Head, internal bool) content.Document {
	d.Confidential, d.Revision = internal || head.Attributes.Confidential, head.Revision
	hash := sha256.Sum256(fmt.Append(nil, d.ID, d.Confidential, d.Text))
	d.Hash = hex.EncodeToString(hash[:])
	return d
}

// mark is a word that only one text has.
func mark(n int) string { return fmt.Sprint("mark", n) }

// embed makes the vectors of a document.
func (c *copies) embed(ref surgical.EntityRef, id string) {
	e := c.entities[ref]
	if d, ok := e.documents[id]; ok {
		e.embeddings[id] = content.Embeddings{DocumentID: id, DocumentHash: d.Hash, Revision: d.Revision, Model: c.model}
		c.feed.add(ref, id)
	}
}

// relabel changes what filters match.
func (c *copies) relabel(ref surgical.EntityRef) { c.label(c.commit(ref)) }

func (c *copies) label(head *surgical.Head) {
	a := &head.Attributes
	a.State, a.Labels, a.Author = oneOf(c.random, states), []string{oneOf(c.random, labels)}, &surgical.User{Username: oneOf(c.random, authors)}
}

// lose puts a tombstone in place of the head.
func (c *copies) lose(ref surgical.EntityRef) {
	head := c.commit(ref)
	*head = surgical.Head{
		Ref: ref, Revision: head.Revision, FetchedAt: head.FetchedAt, FetchedUntil: head.FetchedUntil, Gone: true,
		DocumentsVisibleFrom: head.Revision, Attributes: surgical.Attributes{Confidential: head.Attributes.Confidential},
	}
}

// turnConfidential makes it confidential, or public again. All documents have to be made
// anew.
func (c *copies) turnConfidential(ref surgical.EntityRef) {
	head := c.commit(ref)
	head.Attributes.Confidential = !head.Attributes.Confidential
	head.DocumentsVisibleFrom = head.Revision
	if !head.Attributes.Confidential {
		head.HiddenSince = time.Time{}
	}
}

// hideProject hides what was fetched until now, and restarts the feed.
func (c *copies) hideProject(id int64) {
	c.hiddenAt[id] = c.clock()
	c.feed.restart()
}

// changed tells the feed of a change, and records what is shown of it.
func (c *copies) changed(ref surgical.EntityRef) {
	c.feed.add(ref, "")
	c.remember(ref)
}

// seen is what was shown since a query began.
type seen struct {
	heads map[surgical.EntityRef][]surgical.Head
	// texts are those of the documents, by entity and id.
	texts map[string][]string
}

// begin starts a query: only what is shown from now on counts.
func (c *copies) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = seen{map[surgical.EntityRef][]surgical.Head{}, map[string][]string{}}
	for ref := range c.entities {
		c.remember(ref)
	}
}

func (c *copies) remember(ref surgical.EntityRef) {
	if c.seen.heads == nil {
		return
	}
	viewer := reader{c, c.viewer}
	head, err := viewer.head(ref)
	if err != nil {
		return
	}
	c.seen.heads[ref] = append(c.seen.heads[ref], head)
	for _, d := range viewer.shown(head, slices.Collect(maps.Values(c.entities[ref].documents))) {
		key := ref.Key() + d.ID
		c.seen.texts[key] = append(c.seen.texts[key], d.Text)
	}
}
