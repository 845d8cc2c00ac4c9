package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// runLifetime is how long terminal runs, their entity rows and jobs stay.
const runLifetime = 90 * 24 * time.Hour

// Ledger reads and writes the control plane's tables.
type Ledger struct {
	db     *dynamodb.Client
	tables config.Tables
	clock  func() time.Time
	// meter counts the runs that this ledger closed.
	meter *metrics.Emitter
	// tokens generates a token for each write of a row, by which a caller that
	// lost the response recognizes its own write.
	tokens func() string
}

// New returns a ledger on the tables.
func New(db *dynamodb.Client, tables config.Tables, clock func() time.Time) *Ledger {
	return &Ledger{db: db, tables: tables, clock: clock, tokens: rand.Text}
}

// Metered returns a ledger on the same tables that counts every run that it
// closes: here, because a run becomes terminal nowhere else.
func (l *Ledger) Metered(meter *metrics.Emitter) *Ledger {
	metered := *l
	metered.meter = meter
	return &metered
}

// under yields the rows of the table under one hash key, strongly consistent, in
// the order of their sort keys.
func (l *Ledger) under(ctx context.Context, table, name, value string) iter.Seq2[dynamo.Item, error] {
	return func(yield func(dynamo.Item, error) bool) {
		expr, err := expression.NewBuilder().WithKeyCondition(expression.Key(name).Equal(expression.Value(value))).Build()
		if err != nil {
			yield(nil, fmt.Errorf("query: %w", err))
			return
		}
		dynamo.QueryAll(ctx, l.db, &dynamodb.QueryInput{
			TableName: &table, ConsistentRead: aws.Bool(true), KeyConditionExpression: expr.KeyCondition(),
			ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		})(yield)
	}
}
