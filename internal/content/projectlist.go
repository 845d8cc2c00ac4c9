package content

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// EntitiesOf returns the heads of those of up to limit entities of the project that are
// shown, in the order of their targets as texts (so issue#10 comes before issue#9),
// starting after the given target; the zero target starts at the first. last is the last
// of the limit; more reports whether others may follow.
func (r *Reader) EntitiesOf(ctx context.Context, projectID int64, after surgical.Target, limit int) (shown []surgical.Head, last surgical.Target, more bool, err error) {
	refs, more, err := r.store.Entities(ctx, projectID, after, limit)
	if err != nil || len(refs) == 0 {
		return nil, after, false, err
	}
	// The index lags: only the heads say what may be shown, and what it is.
	heads, err := r.VisibleHeads(ctx, refs)
	for _, ref := range refs {
		if head, ok := heads[ref]; ok {
			shown = append(shown, head)
		}
	}
	return shown, refs[len(refs)-1].Target, more, err
}

// Entities lists up to limit entities of the project that have a head, in the order
// of their targets as texts (so issue#10 comes before issue#9), starting after the
// given target; the zero target starts at the first. more reports whether others may
// follow. The index lags a little behind the heads, and names entities that are not
// shown as well.
func (s *Store) Entities(ctx context.Context, projectID int64, after surgical.Target, limit int) (refs []surgical.EntityRef, more bool, err error) {
	condition := expression.Key("project_id").Equal(expression.Value(projectID))
	if after != (surgical.Target{}) {
		condition = condition.And(expression.Key("entity").GreaterThan(expression.Value(after.String())))
	}
	expr, err := expression.NewBuilder().WithKeyCondition(condition).Build()
	if err != nil {
		return nil, false, fmt.Errorf("list entities of project %d: %w", projectID, err)
	}
	// A page of the index holds a megabyte of keys, so it is never cut before the limit.
	out, err := s.db.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(tables.ContentByProject), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil {
		return nil, false, fmt.Errorf("list entities of project %d: %w", projectID, err)
	}
	for _, item := range out.Items {
		var row struct {
			Entity string `dynamodbav:"entity"`
		}
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, false, fmt.Errorf("decode an entity of project %d: %w", projectID, err)
		}
		target, err := surgical.ParseTarget(row.Entity)
		if err != nil {
			return nil, false, fmt.Errorf("list entities of project %d: %w", projectID, err)
		}
		refs = append(refs, surgical.EntityRef{ProjectID: projectID, Target: target})
	}
	return refs, out.LastEvaluatedKey != nil, nil
}
