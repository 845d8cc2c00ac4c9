package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxMoved bounds how often one write is tried, because consumers of other shards may
	// come first.
	maxMoved = 20
	// longestMovedPause is the try from which the pauses no longer grow. A block takes a
	// query and a put, some 10 ms, so others are soon done.
	longestMovedPause = 4
)

// append writes the entries after the last block, [surgical.FeedBatch] in a block. c is
// the feed's counter as it was read.
func (s *Store) append(ctx context.Context, name Name, c counter, entries []Entry) error {
	for some := range slices.Chunk(entries, surgical.FeedBatch) {
		if err := s.appendNext(ctx, name, c, some); err != nil {
			return fmt.Errorf("append to %s: %w", name, err)
		}
	}
	return nil
}

// appendNext writes one block, after those of consumers that come first. Between the tries
// it pauses for a random time, up to 160 ms, so that consumers that met do not meet again:
// a write that is refused takes write units, too. The error is [surgical.ErrMoved] if
// others always came first, or the context's.
func (s *Store) appendNext(ctx context.Context, name Name, c counter, entries []Entry) error {
	for tries := 1; ; tries++ {
		err := s.appendBlock(ctx, name, c, entries)
		if !errors.Is(err, surgical.ErrMoved) || tries == maxMoved {
			return err
		}
		if err := duration.Wait(ctx, dynamo.PauseBefore(min(tries, longestMovedPause))); err != nil {
			return err
		}
	}
}

// appendBlock writes one block under the number after the last. If that was taken in the
// meantime, nothing is written and the error is [surgical.ErrMoved]. Its taker may be an
// earlier try of the SDK whose response was lost: then the entries come twice.
func (s *Store) appendBlock(ctx context.Context, name Name, c counter, entries []Entry) error {
	last, err := s.last(ctx, name, c)
	if err != nil {
		return err
	}
	item, err := itemOf(name, last+1, entries, s.clock())
	if err != nil {
		return err
	}
	free, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("feed"))).Build()
	if err != nil {
		return fmt.Errorf("build the condition: %w", err)
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: item, ConditionExpression: free.Condition(), ExpressionAttributeNames: free.Names(),
	})
	if dynamo.IsConditionFailed(err) {
		return surgical.ErrMoved
	}
	return err
}

// consumed records that the stream was consumed, and before that how far the feeds have
// come since: as long as this happens, no number is given again when its block expires.
func (s *Store) consumed(ctx context.Context, read counters) error {
	if err := s.raiseLast(ctx, read); err != nil {
		return err
	}
	return s.raise(ctx, Entities, "consumed_at", dynamo.Micros(s.clock()))
}

// raiseLast raises the counters to the last blocks. read are the counters as they were
// read.
func (s *Store) raiseLast(ctx context.Context, read counters) error {
	for _, name := range names() {
		last, err := s.last(ctx, name, read[name])
		if err != nil {
			return err
		}
		if last == read[name].Last {
			continue
		}
		if err := s.raise(ctx, name, "last", last); err != nil {
			return err
		}
	}
	return nil
}

// raise sets an attribute of a counter that is absent or lower.
func (s *Store) raise(ctx context.Context, name Name, attribute string, value int64) error {
	at := expression.Name(attribute)
	expr, err := expression.NewBuilder().
		WithCondition(expression.AttributeNotExists(at).Or(at.LessThan(expression.Value(value)))).
		WithUpdate(expression.Set(at, expression.Value(value))).Build()
	if err != nil {
		return fmt.Errorf("raise %s of %s: %w", attribute, name, err)
	}
	_, err = s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: key(name, 0), ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil && !dynamo.IsConditionFailed(err) {
		return fmt.Errorf("raise %s of %s: %w", attribute, name, err)
	}
	return nil
}
