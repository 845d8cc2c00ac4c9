package content

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Hide returns the write that sets the head's HiddenSince and leaves all else. If the
// entity has no head yet, it puts one that names nothing: an older fetch must not
// store a public copy. The write is refused if the head is no longer as it was read.
func (s *Store) Hide(head surgical.Head, since time.Time) (types.TransactWriteItem, error) {
	if !head.Exists() {
		return s.hideNothing(head.Ref, since)
	}
	expr, err := expression.NewBuilder().WithCondition(unmoved(head)).
		WithUpdate(expression.Set(expression.Name("hidden_since"), expression.Value(since.UnixMicro()))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("hide %s: %w", head.Ref, err)
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.table, Key: key(head.Ref, headKey),
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

// hideNothing puts a head without a copy: its times are 0, so any fetch replaces it.
func (s *Store) hideNothing(ref surgical.EntityRef, since time.Time) (types.TransactWriteItem, error) {
	item, err := attributevalue.MarshalMap(headItem{
		PK: partition(ref), SK: headKey, ProjectID: ref.ProjectID, Entity: ref.Target.String(), Revision: 1, HiddenSince: since.UnixMicro(),
	})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("hide %s: %w", ref, err)
	}
	absent, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("pk"))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("hide %s: %w", ref, err)
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.table, Item: item, ConditionExpression: absent.Condition(), ExpressionAttributeNames: absent.Names(),
	}}, nil
}
