package content

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// pieceLists are what children consist of that are stored in pieces, by the keys of
// the children.
type pieceLists map[string][]pieceRef

// pieceListItem is the item that names the pieces of a long child.
type pieceListItem struct {
	PK     string       `dynamodbav:"pk"`
	SK     string       `dynamodbav:"sk"`
	Pieces packedPieces `dynamodbav:"pieces"`
}

// children reads every child that the entries name with queries of the collection,
// which cost a fraction of reading them one by one. It holds each text once.
func (s *Store) children(ctx context.Context, ref surgical.EntityRef, named entries) (map[string]json.RawMessage, error) {
	items, err := s.childItems(ctx, ref, childPrefix, nil)
	if err != nil {
		return nil, err
	}
	lists, err := s.pieceLists(ctx, ref, named)
	if err != nil {
		return nil, err
	}
	if len(lists) > 0 {
		wanted := map[string]bool{}
		for child, pieces := range lists {
			for _, sk := range keysOf(pieces, ofChild(child)) {
				wanted[sk] = true
			}
		}
		pieces, err := s.childItems(ctx, ref, piecePrefix, wanted)
		if err != nil {
			return nil, err
		}
		items = append(items, pieces...)
	}
	return joinChildren(ref, named, lists, items)
}

// someChildren reads the children that the entries name by their keys.
func (s *Store) someChildren(ctx context.Context, ref surgical.EntityRef, named entries) (map[string]json.RawMessage, error) {
	items, err := dynamo.GetAll(ctx, s.db, s.table, named.keys(ref))
	if err != nil {
		return nil, fmt.Errorf("read %d children of %s: %w", len(named), ref, err)
	}
	lists, err := listsOf(ref, named, items)
	if err != nil {
		return nil, err
	}
	pieces, err := s.pieceItems(ctx, ref, lists)
	if err != nil {
		return nil, err
	}
	return joinChildren(ref, named, lists, append(items, pieces...))
}

// childItems reads the items of the collection whose sort keys begin with the prefix, and
// keeps the wanted ones; nil means all.
func (s *Store) childItems(ctx context.Context, ref surgical.EntityRef, prefix string, wanted map[string]bool) (items []dynamo.Item, err error) {
	in, err := s.collection(ref, prefix)
	if err != nil {
		return nil, err
	}
	for item, err := range dynamo.QueryAll(ctx, s.db, in) {
		if err != nil {
			return nil, fmt.Errorf("read children of %s: %w", ref, err)
		}
		if wanted == nil || wanted[sortKey(item)] {
			items = append(items, item)
		}
	}
	return items, nil
}

// pieceLists reads the lists of those children of the entries that are stored in
// pieces.
func (s *Store) pieceLists(ctx context.Context, ref surgical.EntityRef, named entries) (pieceLists, error) {
	children := named.inPieces()
	if len(children) == 0 {
		return nil, nil
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, children.keys(ref))
	if err != nil {
		return nil, fmt.Errorf("read what long children of %s consist of: %w", ref, err)
	}
	return listsOf(ref, children, items)
}

// pieceItems reads the pieces, each once.
func (s *Store) pieceItems(ctx context.Context, ref surgical.EntityRef, lists pieceLists) ([]dynamo.Item, error) {
	var keys []dynamo.Item
	for child, pieces := range lists {
		for _, sk := range without(keysOf(pieces, ofChild(child)), nil) {
			keys = append(keys, key(ref, sk))
		}
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read pieces of long children of %s: %w", ref, err)
	}
	return items, nil
}

// listsOf decodes the lists among the items. Every child in pieces must have one.
func listsOf(ref surgical.EntityRef, named entries, items []dynamo.Item) (pieceLists, error) {
	children := map[string]string{}
	for child, entry := range named.inPieces() {
		children[pieceListKey(child, entry.Attempt)] = child
	}
	lists := make(pieceLists, len(children))
	for _, item := range items {
		child, ok := children[sortKey(item)]
		if !ok {
			continue
		}
		var row pieceListItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode what %s of %s consists of: %w", child, ref, err)
		}
		var err error
		if lists[child], err = row.Pieces.unpack(); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", child, ref, err)
		}
	}
	if len(lists) < len(children) {
		return nil, fmt.Errorf("long children of %s: %d of %d lists are missing: %w", ref, len(children)-len(lists), len(children), errOvertaken)
	}
	return lists, nil
}

// joinChildren joins the items of each child, and forgets them. All items of the named
// children must be among those given.
func joinChildren(ref surgical.EntityRef, named entries, lists pieceLists, items []dynamo.Item) (map[string]json.RawMessage, error) {
	keys := make(map[string][]string, len(named))
	wanted := map[string]bool{}
	for child, entry := range named {
		keys[child] = entry.textKeys(child, lists[child])
		for _, sk := range keys[child] {
			wanted[sk] = true
		}
	}
	bodies := make(map[string]body, len(wanted))
	for i, item := range items {
		if items[i] = nil; !wanted[sortKey(item)] {
			continue
		}
		var c childItem
		if err := attributevalue.UnmarshalMap(item, &c); err != nil {
			return nil, fmt.Errorf("decode a child of %s: %w", ref, err)
		}
		bodies[c.SK] = c.body
	}
	children := make(map[string]json.RawMessage, len(named))
	for child := range named {
		parts := make([]body, len(keys[child]))
		for i, sk := range keys[child] {
			part, held := bodies[sk]
			if !held {
				return nil, fmt.Errorf("%s of %s: item %d of %d is missing: %w", child, ref, i+1, len(parts), errOvertaken)
			}
			parts[i] = part
		}
		for _, sk := range keys[child] {
			delete(bodies, sk)
		}
		text, err := joinBodies(parts)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", child, ref, err)
		}
		children[child] = text
	}
	return children, nil
}
