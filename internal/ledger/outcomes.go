package ledger

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// parallelQueries is the maximum number of concurrent queries.
const parallelQueries = 8

// Outcomes returns each entity's outcome in the run that ended last, without
// repetitions. An entity without an ended run is left out. The index lags a
// little behind the rows.
func (l *Ledger) Outcomes(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.EntityRow, error) {
	keys := make([]dynamo.Item, len(refs))
	group, queries := parallel.WithContext(ctx)
	group.SetLimit(parallelQueries)
	for i, ref := range refs {
		group.Go(func() (err error) {
			keys[i], err = l.lastOutcome(queries, ref)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var found []dynamo.Item
	for _, key := range keys {
		if key != nil {
			found = append(found, key)
		}
	}
	items, err := dynamo.GetAll(ctx, l.db, l.tables.SyncRunEntities, found)
	if err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	outcomes := make(map[surgical.EntityRef]surgical.EntityRow, len(items))
	for _, item := range items {
		row, err := entityRowOf(item)
		if err != nil {
			return nil, err
		}
		outcomes[row.Ref] = row
	}
	return outcomes, nil
}

// lastOutcome returns the key of the entity's newest row, or nil if it has none.
func (l *Ledger) lastOutcome(ctx context.Context, ref surgical.EntityRef) (dynamo.Item, error) {
	expr, err := expression.NewBuilder().WithKeyCondition(expression.Key("entity").Equal(expression.Value(ref.Key()))).Build()
	if err != nil {
		return nil, fmt.Errorf("outcome of %s: %w", ref, err)
	}
	out, err := l.db.Query(ctx, &dynamodb.QueryInput{
		TableName: &l.tables.SyncRunEntities, IndexName: aws.String(tables.EntitiesByEntity),
		ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil {
		return nil, fmt.Errorf("outcome of %s: %w", ref, err)
	}
	if len(out.Items) == 0 {
		return nil, nil
	}
	return dynamo.Item{"run_id": out.Items[0]["run_id"], "target": out.Items[0]["target"]}, nil
}

func entityRowOf(item dynamo.Item) (surgical.EntityRow, error) {
	var row entityItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.EntityRow{}, fmt.Errorf("decode an entity row: %w", err)
	}
	return surgical.EntityRow{
		RunID: row.RunID, Stage: surgical.Stage(row.Stage), Status: surgical.EntityStatus(row.Status),
		Ref:  surgical.EntityRef{ProjectID: row.ProjectID, Target: surgical.Target{Type: surgical.EntityType(row.Type), IID: row.IID}},
		Code: surgical.Code(row.Code), Message: row.Message, Warnings: row.Warnings, UpdatedAt: dynamo.FromMicros(row.UpdatedAt),
	}, nil
}
