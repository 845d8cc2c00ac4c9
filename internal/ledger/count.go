package ledger

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// Count returns how many runs in the status were created within the span, up to
// most, and whether there are more. It reads only the index, which lags a little
// behind the rows.
func (l *Ledger) Count(ctx context.Context, status surgical.RunStatus, made Span, most int) (n int, more bool, err error) {
	if made.empty() {
		return 0, false, nil
	}
	expr, err := expression.NewBuilder().
		WithKeyCondition(made.condition(expression.Key("status").Equal(expression.Value(status)), "created_at")).Build()
	if err != nil {
		return 0, false, fmt.Errorf("count runs: %w", err)
	}
	in := &dynamodb.QueryInput{
		TableName: &l.tables.SyncRuns, IndexName: aws.String(tables.RunsByStatus), Select: types.SelectCount,
		KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}
	for {
		// One more than requested tells whether there are more.
		in.Limit = aws.Int32(int32(most + 1 - n))
		out, err := l.db.Query(ctx, in)
		if err != nil {
			return 0, false, fmt.Errorf("count runs: %w", err)
		}
		n += int(out.Count)
		if n > most {
			return most, true, nil
		}
		if len(out.LastEvaluatedKey) == 0 {
			return n, false, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
