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
)

// pauseName is the row of the state table that makes all workers wait.
const pauseName = "gitlab_pause"

type pauseItem struct {
	Name      string `dynamodbav:"name"`
	Until     int64  `dynamodbav:"until"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

// PauseLookup names the row of the pause, for [PauseOf].
func (l *Ledger) PauseLookup() dynamo.Lookup {
	return dynamo.Lookup{Table: l.tables.State, Key: stateKey(pauseName)}
}

// PauseOf decodes the row of the pause: the time until which no worker may send
// requests to GitLab, zero for no pause.
func PauseOf(item dynamo.Item) (time.Time, error) {
	var row pauseItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return time.Time{}, fmt.Errorf("decode pause: %w", err)
	}
	return dynamo.FromMicros(row.Until), nil
}

// Pause reads the time until which no worker may send requests to GitLab; zero
// for no pause.
func (l *Ledger) Pause(ctx context.Context) (time.Time, error) { return l.pause(ctx, pauseName) }

func (l *Ledger) pause(ctx context.Context, name string) (time.Time, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.tables.State, Key: stateKey(name)})
	if err != nil {
		return time.Time{}, fmt.Errorf("read pause: %w", err)
	}
	return PauseOf(out.Item)
}

// spareName is the row of the state table that makes passes wait.
const spareName = "gitlab_spare"

// SpareLookup names the row of the time until which passes leave GitLab's budget to
// webhooks, for [PauseOf].
func (l *Ledger) SpareLookup() dynamo.Lookup {
	return dynamo.Lookup{Table: l.tables.State, Key: stateKey(spareName)}
}

// Spare reads the time until which passes leave GitLab's budget to webhooks; zero if
// they need not.
func (l *Ledger) Spare(ctx context.Context) (time.Time, error) { return l.pause(ctx, spareName) }

// SetSpare makes passes wait; it never shortens the wait.
func (l *Ledger) SetSpare(ctx context.Context, until time.Time) error {
	return l.setPause(ctx, spareName, until)
}

// SetPause makes all workers wait; it never shortens a pause.
func (l *Ledger) SetPause(ctx context.Context, until time.Time) error {
	return l.setPause(ctx, pauseName, until)
}

func (l *Ledger) setPause(ctx context.Context, name string, until time.Time) error {
	at := expression.Name("until")
	err := l.updateState(ctx, name,
		expression.AttributeNotExists(at).Or(at.LessThan(expression.Value(dynamo.Micros(until)))),
		expression.Set(at, expression.Value(dynamo.Micros(until))).
			Set(expression.Name("expires_at"), expression.Value(until.Add(time.Hour).Unix())))
	if err != nil {
		return fmt.Errorf("set pause: %w", err)
	}
	return nil
}

// updateState changes a row of the state table; if the condition does not hold, nothing
// changes.
func (l *Ledger) updateState(ctx context.Context, name string, condition expression.ConditionBuilder, update expression.UpdateBuilder) error {
	expr, err := expression.NewBuilder().WithCondition(condition).WithUpdate(update).Build()
	if err != nil {
		return err
	}
	_, err = l.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &l.tables.State, Key: stateKey(name),
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if dynamo.IsConditionFailed(err) {
		return nil
	}
	return err
}

func stateKey(name string) dynamo.Item {
	return dynamo.Item{"name": &types.AttributeValueMemberS{Value: name}}
}
