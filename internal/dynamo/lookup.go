package dynamo

import (
	"context"
	"errors"
	"fmt"
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
	err := get(ctx, db, pending, fmt.Sprintf("read %d items", len(lookups)), func(got map[string][]Item) (bool, error) {
		return false, place(found, lookups, got)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// place puts the items of a response where their lookups are in the list.
func place(found []Item, lookups []Lookup, responses map[string][]Item) error {
	for table, items := range responses {
		for _, item := range items {
			i := slices.IndexFunc(lookups, func(l Lookup) bool { return l.Table == table && hasKey(item, l.Key) })
			if i < 0 {
				return errors.New("DynamoDB returned an item that was not requested")
			}
			found[i] = item
		}
	}
	return nil
}

// hasKey reports whether the item has the key's attributes: strings, and integers,
// which have only one text.
func hasKey(item, key Item) bool {
	for name, value := range key {
		switch want := value.(type) {
		case *types.AttributeValueMemberS:
			if got, ok := item[name].(*types.AttributeValueMemberS); !ok || got.Value != want.Value {
				return false
			}
		case *types.AttributeValueMemberN:
			if got, ok := item[name].(*types.AttributeValueMemberN); !ok || got.Value != want.Value {
				return false
			}
		default:
			return false
		}
	}
	return true
}
