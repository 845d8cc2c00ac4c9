package feed

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
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
	// Number is greater than that of every entry before. The first is 1, and none is
	// left out.
	Number int64
	Ref    surgical.EntityRef
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
	// Number is that of the last entry that was read.
	Number int64
	// At is a time before which no entry after Number was written.
	At time.Time
}

// Page is a part of a feed.
type Page struct {
	// Entries are in the order of their numbers.
	Entries []Entry
	// Next is where to go on.
	Next Position
	// More reports whether there were more entries when the page was read.
	More bool
}

// counter is the item of a feed under number 0.
type counter struct {
	Epoch int64 `dynamodbav:"epoch"`
	Last  int64 `dynamodbav:"last"`
	// ConsumedAt is when a batch of the stream was last consumed, in Unix microseconds.
	// Only [Entities] has it.
	ConsumedAt int64 `dynamodbav:"consumed_at"`
}

// entryItem is the item of an entry. Times are Unix microseconds.
type entryItem struct {
	Feed      Name   `dynamodbav:"feed"`
	Number    int64  `dynamodbav:"number"`
	Entity    string `dynamodbav:"entity"`
	Document  string `dynamodbav:"document,omitempty"`
	At        int64  `dynamodbav:"at"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

// spareTime is how much longer than [surgical.FeedRetention] an entry is kept: clocks
// differ.
const spareTime = 24 * time.Hour

func (e Entry) item(name Name) (dynamo.Item, error) {
	item, err := attributevalue.MarshalMap(entryItem{
		Feed: name, Number: e.Number, Entity: e.Ref.Key(), Document: e.Document,
		At: dynamo.Micros(e.At), ExpiresAt: e.At.Add(surgical.FeedRetention + spareTime).Unix(),
	})
	if err != nil {
		return nil, fmt.Errorf("encode entry %d of %s: %w", e.Number, name, err)
	}
	return item, nil
}

func entryOf(item dynamo.Item) (Entry, error) {
	var row entryItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return Entry{}, fmt.Errorf("decode an entry: %w", err)
	}
	ref, err := surgical.ParseEntityRef(row.Entity)
	if err != nil {
		return Entry{}, fmt.Errorf("decode entry %d: %w", row.Number, err)
	}
	return Entry{Number: row.Number, Ref: ref, Document: row.Document, At: dynamo.FromMicros(row.At)}, nil
}
