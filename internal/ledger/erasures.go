package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The directory also lists what was erased, independently of the content table: after a
// restore of that, the list says what to erase again.
const (
	// erasedPrefix and an entity's key are the entry of an entity that was erased.
	erasedPrefix = "erased#"
	// erasingPrefix and an entity's key are there as long as something of the entity may
	// still be stored.
	erasingPrefix = "erasing#"
)

// erasureItem is either of the two. Times are Unix microseconds.
type erasureItem struct {
	ProjectID int64  `dynamodbav:"project_id"`
	Item      string `dynamodbav:"item"`
	ErasedAt  int64  `dynamodbav:"erased_at"`
	OpenSince int64  `dynamodbav:"open_since,omitempty"`
}

func erasedKey(ref surgical.EntityRef) dynamo.Item {
	return projectKey(directory, erasedPrefix+ref.Key())
}

func erasingKey(ref surgical.EntityRef) dynamo.Item {
	return projectKey(directory, erasingPrefix+ref.Key())
}

// OpenErasure returns the writes that list the entity as erased, and as one of which
// something may still be stored. They belong in the transaction that erases the head.
func (l *Ledger) OpenErasure(e surgical.Erasure) ([]types.TransactWriteItem, error) {
	var writes []types.TransactWriteItem
	for _, row := range []erasureItem{
		{directory, erasedPrefix + e.Ref.Key(), dynamo.Micros(e.ErasedAt), 0},
		{directory, erasingPrefix + e.Ref.Key(), dynamo.Micros(e.ErasedAt), dynamo.Micros(e.OpenSince)},
	} {
		item, err := attributevalue.MarshalMap(row)
		if err != nil {
			return nil, fmt.Errorf("encode the erasure of %s: %w", e.Ref, err)
		}
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.Projects, Item: item}})
	}
	return writes, nil
}

// CompleteErasure records that nothing of the entity is stored any more, unless its
// removal was requested again since the erasure was read.
func (l *Ledger) CompleteErasure(ctx context.Context, e surgical.Erasure) error {
	expr, err := expression.NewBuilder().WithCondition(expression.Name("open_since").Equal(expression.Value(dynamo.Micros(e.OpenSince)))).Build()
	if err != nil {
		return fmt.Errorf("complete the erasure of %s: %w", e.Ref, err)
	}
	err = dynamo.Transact(ctx, l.db, []types.TransactWriteItem{{Delete: &types.Delete{
		TableName: &l.tables.Projects, Key: erasingKey(e.Ref), ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}})
	if err != nil && dynamo.Refusals(err) == nil {
		return fmt.Errorf("complete the erasure of %s: %w", e.Ref, err)
	}
	return nil
}

// DropErasure returns the writes that take the entity off the list. They are refused
// as long as something of it may still be stored. They belong in the transaction that
// lets the entity be fetched again.
func (l *Ledger) DropErasure(ref surgical.EntityRef) ([]types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("item"))).Build()
	if err != nil {
		return nil, fmt.Errorf("drop the erasure of %s: %w", ref, err)
	}
	return []types.TransactWriteItem{
		{Delete: &types.Delete{TableName: &l.tables.Projects, Key: erasedKey(ref)}},
		{Delete: &types.Delete{TableName: &l.tables.Projects, Key: erasingKey(ref), ConditionExpression: expr.Condition(), ExpressionAttributeNames: expr.Names()}},
	}, nil
}

// Erasure reads what the list says about the entity; nil if it is not on it.
func (l *Ledger) Erasure(ctx context.Context, ref surgical.EntityRef) (*surgical.Erasure, error) {
	items, err := dynamo.GetTogether(ctx, l.db,
		dynamo.Lookup{Table: l.tables.Projects, Key: erasedKey(ref)}, dynamo.Lookup{Table: l.tables.Projects, Key: erasingKey(ref)})
	if err != nil {
		return nil, fmt.Errorf("read the erasure of %s: %w", ref, err)
	}
	var all []surgical.Erasure
	for _, item := range items {
		if item == nil {
			continue
		}
		e, err := erasureOf(item)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return &all[len(all)-1], nil // that of the open one, if there is one
}

// Erasures lists what was erased, in the order of the entities' keys, starting after the
// given one; "" starts at the first. more reports whether there are others.
func (l *Ledger) Erasures(ctx context.Context, after string, limit int) (page []surgical.Erasure, more bool, err error) {
	open, err := l.openErasures(ctx, after)
	if err != nil {
		return nil, false, err
	}
	for item, err := range l.itemsAfter(ctx, directory, erasedPrefix, placed(erasedPrefix, after)) {
		if err != nil {
			return nil, false, fmt.Errorf("list what was erased: %w", err)
		}
		e, err := erasureOf(item)
		switch {
		case err != nil:
			return nil, false, err
		case len(page) == limit:
			return page, true, nil
		}
		if i := slices.IndexFunc(open, func(o surgical.Erasure) bool { return o.Ref == e.Ref }); i >= 0 {
			e.OpenSince = open[i].OpenSince
		}
		page = append(page, e)
	}
	return page, false, nil
}

// OpenErasures lists the entities that were erased and of which something may still be
// stored.
func (l *Ledger) OpenErasures(ctx context.Context) ([]surgical.Erasure, error) {
	return l.openErasures(ctx, "")
}

func (l *Ledger) openErasures(ctx context.Context, after string) ([]surgical.Erasure, error) {
	var all []surgical.Erasure
	for item, err := range l.itemsAfter(ctx, directory, erasingPrefix, placed(erasingPrefix, after)) {
		if err != nil {
			return nil, fmt.Errorf("list what is being erased: %w", err)
		}
		e, err := erasureOf(item)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// placed is the sort key of an entity's entry; "" for no entity.
func placed(prefix, entity string) string {
	if entity == "" {
		return ""
	}
	return prefix + entity
}

func erasureOf(item dynamo.Item) (surgical.Erasure, error) {
	var row erasureItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.Erasure{}, fmt.Errorf("decode an erasure: %w", err)
	}
	_, key, _ := strings.Cut(row.Item, "#")
	ref, err := surgical.ParseEntityRef(key)
	if err != nil {
		return surgical.Erasure{}, fmt.Errorf("decode an erasure: %w", err)
	}
	return surgical.Erasure{Ref: ref, ErasedAt: dynamo.FromMicros(row.ErasedAt), OpenSince: dynamo.FromMicros(row.OpenSince)}, nil
}
