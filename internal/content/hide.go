package content

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// RemoveHidden deletes the bytes of documents and embeddings that the head
// hides. Each goes only on condition that its own revision is still below
// documents_visible_from: a removal that lands late can hit nothing newer.
func (s *Store) RemoveHidden(ctx context.Context, head surgical.Head) error {
	condition := expression.Name("revision").LessThan(expression.Value(head.DocumentsVisibleFrom))
	expr, err := expression.NewBuilder().WithCondition(condition).Build()
	if err != nil {
		return fmt.Errorf("remove hidden items: %w", err)
	}
	for _, prefix := range []string{docPrefix, docTextPrefix, embPrefix, vecPrefix} {
		in, err := s.collection(head.Ref, prefix, expression.Name("sk"), expression.Name("revision"))
		if err != nil {
			return err
		}
		for item, err := range dynamo.QueryAll(ctx, s.db, in) {
			if err != nil {
				return fmt.Errorf("list hidden items of %s: %w", head.Ref, err)
			}
			var row struct {
				SK       string `dynamodbav:"sk"`
				Revision int64  `dynamodbav:"revision"`
			}
			if err := attributevalue.UnmarshalMap(item, &row); err != nil {
				return fmt.Errorf("decode a hidden item of %s: %w", head.Ref, err)
			}
			if row.Revision >= head.DocumentsVisibleFrom {
				continue
			}
			_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: &s.table, Key: key(head.Ref, row.SK), ConditionExpression: expr.Condition(),
				ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
			})
			if err != nil && !dynamo.IsConditionFailed(err) {
				return fmt.Errorf("remove %s of %s: %w", row.SK, head.Ref, err)
			}
		}
	}
	return nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
