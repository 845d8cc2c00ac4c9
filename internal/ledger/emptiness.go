package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// emptyName is the row of the state table that says when no delivery waited.
const emptyName = "requests_empty"

type emptinessItem struct {
	Until  int64 `dynamodbav:"until"`
	Before int64 `dynamodbav:"before"`
}

// EmptinessLookup names the row that says when requests.fifo was seen empty, for
// [EmptinessOf].
func (l *Ledger) EmptinessLookup() dynamo.Lookup {
	return dynamo.Lookup{Table: l.tables.State, Key: stateKey(emptyName)}
}

// EmptinessOf reads the row that says when requests.fifo was seen empty. An absent one
// says never.
func EmptinessOf(item dynamo.Item) (surgical.Emptiness, error) {
	var row emptinessItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.Emptiness{}, fmt.Errorf("row %s of the state table: %w", emptyName, err)
	}
	return surgical.Emptiness{Last: dynamo.FromMicros(row.Until), Before: dynamo.FromMicros(row.Before)}, nil
}

// SetEmptiness records what follows from the emptiness that was read. If another worker
// recorded one in between, that one stays.
func (l *Ledger) SetEmptiness(ctx context.Context, read, next surgical.Emptiness) error {
	until := expression.Name("until")
	unchanged := until.Equal(expression.Value(dynamo.Micros(read.Last)))
	if read.Last.IsZero() {
		unchanged = until.AttributeNotExists()
	}
	err := l.updateState(ctx, emptyName, unchanged,
		expression.Set(until, expression.Value(dynamo.Micros(next.Last))).
			Set(expression.Name("before"), expression.Value(dynamo.Micros(next.Before))).
			Set(expression.Name("expires_at"), expression.Value(next.Last.Add(surgical.TurnPatience+time.Hour).Unix())))
	if err != nil {
		return fmt.Errorf("record that no delivery waits: %w", err)
	}
	return nil
}
