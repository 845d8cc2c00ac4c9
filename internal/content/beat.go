package content

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// beatKey is both keys of the item that [Store.Beat] writes. It is of no entity.
const beatKey = "beat"

// Beat changes an item that is of no entity, unless that happened within
// [surgical.FeedBeat]. So the table's stream has a record now and then, even if nothing
// else changes.
func (s *Store) Beat(ctx context.Context) error {
	now := s.clock()
	at := expression.Name("at")
	due := expression.AttributeNotExists(at).Or(at.LessThanEqual(expression.Value(now.Add(-surgical.FeedBeat).UnixMicro())))
	expr, err := expression.NewBuilder().WithCondition(due).WithUpdate(expression.Set(at, expression.Value(now.UnixMicro()))).Build()
	if err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	beat := &types.AttributeValueMemberS{Value: beatKey}
	_, err = s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: dynamo.Item{"pk": beat, "sk": beat},
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil && !dynamo.IsConditionFailed(err) {
		return fmt.Errorf("beat: %w", err)
	}
	return nil
}
