package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Lookup names one item of one table.
type Lookup struct {
	Table string
	Key   Item
}

// GetTogether reads a few items of any tables in one round trip, each strongly
// consistent by itself, and returns them in the order of the lookups: nil where
// there is no item. The items together are not a snapshot: another writer may
// come between any two of them. No two lookups may name the same item.
func GetTogether(ctx context.Context, db *dynamodb.Client, lookups ...Lookup) ([]Item, error) {
	found := make([]Item, len(lookups))
	pending := map[string]types.KeysAndAttributes{}
	for _, l := range lookups {
		keys := pending[l.Table]
		keys.Keys, keys.ConsistentRead = append(keys.Keys, l.Key), aws.Bool(true)
		pending[l.Table] = keys
	}
	for try := range maxBatchTries {
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: pending})
		if err != nil {
			return nil, fmt.Errorf("read %d items: %w", len(lookups), err)
		}
		for table, items := range out.Responses {
			for _, item := range items {
				i := slices.IndexFunc(lookups, func(l Lookup) bool { return l.Table == table && hasKey(item, l.Key) })
				if i < 0 {
					return nil, errors.New("DynamoDB returned an item that was not requested")
				}
				found[i] = item
			}
		}
		if pending = maps.Clone(out.UnprocessedKeys); len(pending) == 0 {
			return found, nil
		}
	}
	return nil, fmt.Errorf("keys were left unprocessed %d times", maxBatchTries)
}

// hasKey reports whether the item has the key's attributes, which are strings in
// every table of Lorehook.
func hasKey(item, key Item) bool {
	for name, value := range key {
		want, ok := value.(*types.AttributeValueMemberS)
		got, has := item[name].(*types.AttributeValueMemberS)
		if !ok || !has || got.Value != want.Value {
			return false
		}
	}
	return true
}
