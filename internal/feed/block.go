package feed

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// spareTime is how much longer than [surgical.FeedRetention] a block is kept: clocks
// differ, and a request may arrive late.
const spareTime = 24 * time.Hour

// block is what one write appends: entries under one number.
type block struct {
	// Number counts the blocks of a feed, from 1. None is left out.
	Number  int64
	Entries []Entry
}

// blockItem is the item of a block. Times are Unix microseconds.
type blockItem struct {
	Feed      Name        `dynamodbav:"feed"`
	Number    int64       `dynamodbav:"number"`
	Entries   []entryItem `dynamodbav:"entries,omitempty"`
	At        int64       `dynamodbav:"at"`
	ExpiresAt int64       `dynamodbav:"expires_at"`
	// 0.1.0 wrote each entry as an item of its own. That is a block with this entry.
	entryItem
}

// entryItem is an entry within a block.
type entryItem struct {
	Entity   string `dynamodbav:"entity,omitempty"`
	Document string `dynamodbav:"document,omitempty"`
}

// itemOf is the item of a block with the entries, of which At does not count.
func itemOf(name Name, number int64, entries []Entry, at time.Time) (dynamo.Item, error) {
	row := blockItem{Feed: name, Number: number, At: dynamo.Micros(at), ExpiresAt: at.Add(surgical.FeedRetention + spareTime).Unix()}
	for _, e := range entries {
		row.Entries = append(row.Entries, entryItem{e.Ref.Key(), e.Document})
	}
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		return nil, fmt.Errorf("encode block %d of %s: %w", number, name, err)
	}
	return item, nil
}

func blockOf(item dynamo.Item) (block, error) {
	var row blockItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return block{}, fmt.Errorf("decode a block: %w", err)
	}
	if row.Entity != "" {
		row.Entries = []entryItem{row.entryItem}
	}
	b := block{Number: row.Number}
	for _, one := range row.Entries {
		ref, err := surgical.ParseEntityRef(one.Entity)
		if err != nil {
			return block{}, fmt.Errorf("decode block %d: %w", row.Number, err)
		}
		b.Entries = append(b.Entries, Entry{Ref: ref, Document: one.Document, At: dynamo.FromMicros(row.At)})
	}
	return b, nil
}
