package feed

import (
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Name names a feed.
type Name string

// The feeds.
const (
	// Entities has an entry for each change of an entity's head: a commit, a tombstone,
	// and whatever else hides or shows it.
	Entities Name = "entities"
	// Documents has an entry for each change of a document or of what embeds it, and one
	// without a document for each change of a head, which may hide or show all of the
	// entity's documents.
	Documents Name = "documents"
)

// names are all feeds.
func names() []Name { return []Name{Entities, Documents} }

// Entry says that something changed.
type Entry struct {
	Ref surgical.EntityRef
	// Document is the id of the document; "" for the entity itself.
	Document string
	// At is when the entry was written.
	At time.Time
}

// Position is how far a reader has read. The zero Position is not one: a reader begins
// with [Store.End], reads everything that there is, and goes on from there.
type Position struct {
	// Epoch is that of the feed. Numbers go on when it is raised.
	Epoch int64
	// Number is that of the last block of which every entry was read, and Offset how many
	// entries of the next block were read.
	Number, Offset int64
	// At is a time before which no entry after that was written.
	At time.Time
}

// Page is a part of a feed.
type Page struct {
	// Entries are in the order in which they were appended.
	Entries []Entry
	// Next is where to go on.
	Next Position
	// More reports whether there were more entries when the page was read.
	More bool
}
