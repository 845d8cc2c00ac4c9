package feed

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Restart raises the epoch of all feeds: every reader has to read everything once.
func (s *Store) Restart(ctx context.Context) error {
	if err := dynamo.Transact(ctx, s.db, Restarts(s.table)); err != nil {
		return fmt.Errorf("restart the feeds: %w", err)
	}
	return nil
}

// Restarts are the writes of [Store.Restart], for a transaction that hides something
// without a change of the content table.
func Restarts(table string) []types.TransactWriteItem {
	var writes []types.TransactWriteItem
	for _, name := range names() {
		writes = append(writes, types.TransactWriteItem{Update: &types.Update{
			TableName: &table, Key: key(name, 0), UpdateExpression: aws.String("ADD #epoch :one"),
			ExpressionAttributeNames: map[string]string{"#epoch": "epoch"}, ExpressionAttributeValues: dynamo.Item{":one": &types.AttributeValueMemberN{Value: "1"}},
		}})
	}
	return writes
}

// restartAfterGap restarts the feeds after the consumer was away, and records that it is
// back, unless another consumer did: then the error is [surgical.ErrMoved]. read are the
// counters as they were read.
//
// The counters are raised to the last blocks first. Those may have expired, and numbers
// of the new epoch must not come twice either.
func (s *Store) restartAfterGap(ctx context.Context, read counters) error {
	if err := s.raiseLast(ctx, read); err != nil {
		return err
	}
	asRead := expression.Name("consumed_at").Equal(expression.Value(read[Entities].ConsumedAt))
	if read[Entities].ConsumedAt == 0 {
		asRead = expression.AttributeNotExists(expression.Name("consumed_at"))
	}
	var writes []types.TransactWriteItem
	for _, name := range names() {
		builder, update := expression.NewBuilder(), expression.Add(expression.Name("epoch"), expression.Value(1))
		if name == Entities {
			builder = builder.WithCondition(asRead)
			update = update.Set(expression.Name("consumed_at"), expression.Value(dynamo.Micros(s.clock())))
		}
		expr, err := builder.WithUpdate(update).Build()
		if err != nil {
			return fmt.Errorf("restart %s: %w", name, err)
		}
		writes = append(writes, types.TransactWriteItem{Update: &types.Update{
			TableName: &s.table, Key: key(name, 0), ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
			ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		}})
	}
	err := dynamo.Transact(ctx, s.db, writes)
	if dynamo.Refusals(err) != nil {
		return surgical.ErrMoved
	}
	return err
}
