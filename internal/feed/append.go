package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxMoved bounds how often one write is repeated because consumers of other shards came
// first.
const maxMoved = 20

// append writes the entries after the last block, [surgical.FeedBatch] in a block. c is
// the feed's counter as it was read.
func (s *Store) append(ctx context.Context, name Name, c counter, entries []Entry) error {
	for some := range slices.Chunk(entries, surgical.FeedBatch) {
		err := surgical.ErrMoved
		for tries := 0; errors.Is(err, surgical.ErrMoved) && tries < maxMoved; tries++ {
			err = s.appendBlock(ctx, name, c, some)
		}
		if err != nil {
			return fmt.Errorf("append to %s: %w", name, err)
		}
	}
	return nil
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
