package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// drainRequest is the row, in the state table, of the newest request to drain
// everything that is undone: of one project with its id, or of all with 0.
const drainRequest = "drain_request#"

type drainRequestItem struct {
	RequestedAt int64 `dynamodbav:"requested_at"`
}

func drainRequestKey(projectID int64) dynamo.Item {
	return stateKey(fmt.Sprint(drainRequest, projectID))
}

// RequestDrain asks the sweeper to drain everything that ended runs left undone of the
// project, or of all projects for 0, whatever it waits for. It returns the time of the
// request.
func (l *Ledger) RequestDrain(ctx context.Context, projectID int64) (time.Time, error) {
	now := l.clock()
	expr, err := expression.NewBuilder().WithUpdate(
		expression.Set(expression.Name("requested_at"), expression.Value(dynamo.Micros(now))).
			Set(expression.Name("expires_at"), expression.Value(now.Add(surgical.DrainInterval+time.Hour).Unix()))).Build()
	if err != nil {
		return time.Time{}, fmt.Errorf("request a drain: %w", err)
	}
	_, err = l.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &l.tables.State, Key: drainRequestKey(projectID),
		UpdateExpression: expr.Update(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("request a drain: %w", err)
	}
	return dynamo.FromMicros(dynamo.Micros(now)), nil
}

// DrainRequestedAt returns the time of the newest request to drain the project, or all
// projects for 0; zero if there is none.
func (l *Ledger) DrainRequestedAt(ctx context.Context, projectID int64) (time.Time, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.tables.State, Key: drainRequestKey(projectID)})
	if err != nil {
		return time.Time{}, fmt.Errorf("read the request to drain: %w", err)
	}
	var row drainRequestItem
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		return time.Time{}, fmt.Errorf("decode the request to drain: %w", err)
	}
	return dynamo.FromMicros(row.RequestedAt), nil
}

// CountUndone counts the entities with documents or embeddings undone, in the projects
// that match: those that wait, and those that a run is working on. It scans the dirty
// sources and no runs.
func (l *Ledger) CountUndone(ctx context.Context, match func(projectID int64) bool) (int, error) {
	entities := map[string]bool{}
	pages := dynamodb.NewScanPaginator(l.db, &dynamodb.ScanInput{TableName: &l.tables.DirtySources})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("count what is undone: %w", err)
		}
		for _, item := range page.Items {
			key, ok := item["entity"].(*types.AttributeValueMemberS)
			if !ok {
				continue
			}
			ref, err := surgical.ParseEntityRef(key.Value)
			if err != nil {
				return 0, fmt.Errorf("count what is undone: %w", err)
			}
			if match(ref.ProjectID) {
				entities[key.Value] = true
			}
		}
	}
	return len(entities), nil
}
