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

// pauseName is the row of the state table that makes all workers wait.
const pauseName = "gitlab_pause"

type pauseItem struct {
	Name      string `dynamodbav:"name"`
	Until     int64  `dynamodbav:"until"`
	Code      string `dynamodbav:"code"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

// PauseLookup names the row of the pause, for [PauseOf].
func (l *Ledger) PauseLookup() dynamo.Lookup {
	return dynamo.Lookup{Table: l.tables.State, Key: stateKey(pauseName)}
}

// PauseOf decodes the row of the pause: the time until which no worker may send
// requests to GitLab, zero for no pause.
func PauseOf(item dynamo.Item) (time.Time, error) {
	row, err := decodePause(item)
	return dynamo.FromMicros(row.Until), err
}

func decodePause(item dynamo.Item) (row pauseItem, err error) {
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return pauseItem{}, fmt.Errorf("decode pause: %w", err)
	}
	return row, nil
}

// Pause reads the time until which no worker may send requests to GitLab; zero
// for no pause.
func (l *Ledger) Pause(ctx context.Context) (time.Time, error) { return l.pause(ctx, pauseName) }

// PauseReason reads the pause together with why it was set; "" if an earlier version did
// that.
func (l *Ledger) PauseReason(ctx context.Context) (until time.Time, why surgical.Code, err error) {
	item, err := l.pauseItem(ctx, pauseName)
	if err != nil {
		return time.Time{}, "", err
	}
	row, err := decodePause(item)
	return dynamo.FromMicros(row.Until), surgical.Code(row.Code), err
}

func (l *Ledger) pause(ctx context.Context, name string) (time.Time, error) {
	item, err := l.pauseItem(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	return PauseOf(item)
}

func (l *Ledger) pauseItem(ctx context.Context, name string) (dynamo.Item, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.tables.State, Key: stateKey(name)})
	if err != nil {
		return nil, fmt.Errorf("read pause: %w", err)
	}
	return out.Item, nil
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
	return l.setPause(ctx, spareName, until, expression.UpdateBuilder{})
}

// SetPause makes all workers wait because of what the code says; it never shortens a
// pause.
func (l *Ledger) SetPause(ctx context.Context, until time.Time, why surgical.Code) error {
	return l.setPause(ctx, pauseName, until, expression.Set(expression.Name("code"), expression.Value(string(why))))
}

func (l *Ledger) setPause(ctx context.Context, name string, until time.Time, update expression.UpdateBuilder) error {
	at := expression.Name("until")
	err := l.updateState(ctx, name,
		expression.AttributeNotExists(at).Or(at.LessThan(expression.Value(dynamo.Micros(until)))),
		update.Set(at, expression.Value(dynamo.Micros(until))).
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
