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
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parallelRemovals bounds concurrent deletions of hidden items.
const parallelRemovals = 16

// RemoveHidden deletes the documents and embeddings that the head hides, until
// none is left or more returns false. It returns whether none is left. Each item
// is deleted on the condition that its own revision is below
// documents_visible_from, so a deletion that arrives late never hits a newer one.
func (s *Store) RemoveHidden(ctx context.Context, head surgical.Head, more func() bool) (bool, error) {
	condition := expression.Name("revision").LessThan(expression.Value(head.DocumentsVisibleFrom))
	expr, err := expression.NewBuilder().WithCondition(condition).Build()
	if err != nil {
		return false, fmt.Errorf("remove hidden items: %w", err)
	}
	for _, prefix := range []string{docPrefix, docPiecePrefix, docTextPrefix, embPrefix, vecPrefix} {
		hidden, err := s.hidden(ctx, head, prefix)
		if err != nil {
			return false, err
		}
		for some := range slices.Chunk(hidden, 10*parallelRemovals) {
			if !more() {
				return false, nil
			}
			if err := s.removeAll(ctx, head.Ref, some, expr); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// hidden lists the sort keys of hidden items.
func (s *Store) hidden(ctx context.Context, head surgical.Head, prefix string) ([]string, error) {
	in, err := s.collection(head.Ref, prefix, expression.Name("sk"), expression.Name("revision"))
	if err != nil {
		return nil, err
	}
	var keys []string
	for item, err := range dynamo.QueryAll(ctx, s.db, in) {
		if err != nil {
			return nil, fmt.Errorf("list hidden items of %s: %w", head.Ref, err)
		}
		var row struct {
			SK       string `dynamodbav:"sk"`
			Revision int64  `dynamodbav:"revision"`
		}
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a hidden item of %s: %w", head.Ref, err)
		}
		if row.Revision < head.DocumentsVisibleFrom {
			keys = append(keys, row.SK)
		}
	}
	return keys, nil
}

func (s *Store) removeAll(ctx context.Context, ref surgical.EntityRef, keys []string, expr expression.Expression) error {
	group, ctx := parallel.WithContext(ctx)
	group.SetLimit(parallelRemovals)
	for _, sk := range keys {
		group.Go(func() error {
			_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: &s.table, Key: key(ref, sk), ConditionExpression: expr.Condition(),
				ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
			})
			if err != nil && !dynamo.IsConditionFailed(err) {
				return fmt.Errorf("remove %s of %s: %w", sk, ref, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
