package ledger

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// embeddedRows is over how many rows of the state table the last embedding is spread:
// transactions that write the same row at the same time conflict.
const embeddedRows = 8

type embeddedItem struct {
	Name string `dynamodbav:"name"`
	At   int64  `dynamodbav:"embedded_at"`
}

func embeddedName(row uint32) string { return fmt.Sprintf("embedded#%d", row) }

// embedded notes, within the transaction that finishes an embed job of the run, that the
// embedder works.
func (l *Ledger) embedded(runID string) (types.TransactWriteItem, error) {
	hash := fnv.New32a()
	hash.Write([]byte(runID))
	item, err := attributevalue.MarshalMap(embeddedItem{embeddedName(hash.Sum32() % embeddedRows), dynamo.Micros(l.clock())})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode the time of an embedding: %w", err)
	}
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.State, Item: item}}, nil
}

// EmbeddedAt returns when an embed job that had embedded something was last finished,
// or zero if none was since the rows are written.
func (l *Ledger) EmbeddedAt(ctx context.Context) (time.Time, error) {
	lookups := make([]dynamo.Lookup, embeddedRows)
	for row := range lookups {
		lookups[row] = dynamo.Lookup{Table: l.tables.State, Key: stateKey(embeddedName(uint32(row)))}
	}
	items, err := dynamo.GetTogether(ctx, l.db, lookups...)
	if err != nil {
		return time.Time{}, fmt.Errorf("read when something was embedded: %w", err)
	}
	var newest int64
	for _, item := range items {
		var row embeddedItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return time.Time{}, fmt.Errorf("decode when something was embedded: %w", err)
		}
		newest = max(newest, row.At)
	}
	return dynamo.FromMicros(newest), nil
}
