package content

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Base is a stored head with its manifest: what a snapshot is compared with.
type Base struct {
	// Head has revision 0 if the entity has none yet.
	Head surgical.Head
	item *headItem
}

// HeadLookup names the entity's head, for [BaseOf].
func (s *Store) HeadLookup(ref surgical.EntityRef) dynamo.Lookup {
	return dynamo.Lookup{Table: s.table, Key: key(ref, headKey)}
}

// BaseOf decodes a head as it was read; nil if there is none.
func BaseOf(ref surgical.EntityRef, item dynamo.Item) (*Base, error) {
	if item == nil {
		return &Base{Head: surgical.Head{Ref: ref}}, nil
	}
	var stored headItem
	if err := attributevalue.UnmarshalMap(item, &stored); err != nil {
		return nil, fmt.Errorf("decode head of %s: %w", ref, err)
	}
	return &Base{Head: stored.head(ref), item: &stored}, nil
}

// base reads the entity's head.
func (s *Store) base(ctx context.Context, ref surgical.EntityRef) (*Base, error) {
	item, err := s.headItem(ctx, ref)
	if err != nil {
		return nil, err
	}
	if item == nil {
		return &Base{Head: surgical.Head{Ref: ref}}, nil
	}
	return &Base{Head: item.head(ref), item: item}, nil
}
