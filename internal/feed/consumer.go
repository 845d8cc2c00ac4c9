package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Consumer writes the feeds from the stream of the content table. All fields except
// Changed are required.
type Consumer struct {
	Store *Store
	Clock func() time.Time
	Log   *slog.Logger
	// Changed is called after entries were appended to [Documents]. If it fails, or is
	// nil, their readers find them when they look by themselves.
	Changed func(context.Context) error
}

// Handle is the Lambda function. It is invoked with batches of the stream, and with
// messages of the queue to which Lambda sends what it gave up. If it fails, Lambda
// delivers the whole batch again; it never reports single records, because their order
// does not matter and all of them are appended in a few writes.
func (c *Consumer) Handle(ctx context.Context, event json.RawMessage) (events.DynamoDBEventResponse, error) {
	response := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	var batch struct {
		Records []struct {
			EventSource string `json:"eventSource"`
			Change      struct {
				Keys map[string]struct{ S string }
			} `json:"dynamodb"`
		}
	}
	if err := json.Unmarshal(event, &batch); err != nil {
		return response, fmt.Errorf("decode the event: %w", err)
	}
	var changes []change
	for _, record := range batch.Records {
		if record.EventSource == "aws:sqs" {
			c.Log.ErrorContext(ctx, "feed_restarted", "reason", "records of the stream were given up")
			return response, c.Store.Restart(ctx)
		}
		keys := record.Change.Keys
		if ref, document, ok := content.ChangedBy(keys["pk"].S, keys["sk"].S); ok {
			changes = append(changes, change{ref, document, keys["sk"].S})
		}
	}
	if err := c.consume(ctx, changes); err != nil {
		return response, fmt.Errorf("consume %d records: %w", len(batch.Records), err)
	}
	c.Log.InfoContext(ctx, "fed", "records", len(batch.Records), "changes", len(changes))
	return response, nil
}

// change is a record of the stream that matters.
type change struct {
	ref      surgical.EntityRef
	document string
	sk       string
}

// consume appends what the records say. The order of its steps counts: an absence is
// looked for first, because what is recorded last says that there was none.
func (c *Consumer) consume(ctx context.Context, changes []change) error {
	read, err := c.lookForGap(ctx)
	if err != nil {
		return err
	}
	entities, documents := entriesOf(changes)
	if err := c.Store.append(ctx, Entities, read[Entities], entities); err != nil {
		return err
	}
	if err := c.Store.append(ctx, Documents, read[Documents], documents); err != nil {
		return err
	}
	if c.away(read) >= surgical.FeedConsumedInterval {
		if err := c.Store.consumed(ctx, read); err != nil {
			return err
		}
	}
	if len(documents) > 0 && c.Changed != nil {
		if err := c.Changed(ctx); err != nil {
			c.Log.WarnContext(ctx, "indexer_not_started", "error", err.Error()) // the schedule starts it
		}
	}
	return nil
}

// entriesOf returns what belongs into each feed, each change once.
func entriesOf(changes []change) (entities, documents []Entry) {
	seen := map[change]bool{}
	for _, one := range changes {
		entry := Entry{Ref: one.ref, Document: one.document}
		one.sk = ""
		if seen[one] {
			continue
		}
		seen[one] = true
		if one.document == "" {
			entities = append(entities, entry)
		}
		documents = append(documents, entry)
	}
	return entities, documents
}

// lookForGap restarts the feeds if the consumer was away for so long that the stream may
// have dropped records, and when it works for the first time. It returns the counters.
func (c *Consumer) lookForGap(ctx context.Context) (counters, error) {
	for range maxMoved {
		read, err := c.Store.counters(ctx)
		if err != nil {
			return nil, err
		}
		if c.away(read) <= surgical.FeedGap {
			return read, nil
		}
		err = c.Store.restartAfterGap(ctx, read)
		if err == nil {
			c.Log.WarnContext(ctx, "feed_restarted", "reason", "the consumer was away, or is new", "last_at", dynamo.FromMicros(read[Entities].ConsumedAt))
		}
		if err != nil && !errors.Is(err, surgical.ErrMoved) {
			return nil, err
		}
	}
	return nil, surgical.ErrMoved
}

// away is how long ago it was recorded that the stream was consumed.
func (c *Consumer) away(read counters) time.Duration {
	return c.Clock().Sub(dynamo.FromMicros(read[Entities].ConsumedAt))
}
