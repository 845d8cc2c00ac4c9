package content

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Heads reads the heads of the entities with strong consistency. refs must not
// repeat. Entities without a head are left out.
func (s *Store) Heads(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error) {
	keys := make([]dynamo.Item, len(refs))
	named := make(map[string]surgical.EntityRef, len(refs))
	for i, ref := range refs {
		keys[i], named[partition(ref)] = key(ref, headKey), ref
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	heads := make(map[surgical.EntityRef]surgical.Head, len(items))
	for _, item := range items {
		var row headItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a head: %w", err)
		}
		ref := named[row.PK]
		heads[ref] = row.head(ref)
	}
	return heads, nil
}
