package content

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Batch is a batch of documents with what embeds them, by the documents' ids. It
// is read in one request where possible, but not in one instant: a document and
// its embeddings may be from different moments.
type Batch struct {
	// Documents have those texts that are stored in the document's own item.
	Documents  map[string]Document
	Embeddings map[string]Embeddings
}

// Batch reads the documents and their embeddings; what does not exist is left
// out.
func (s *Store) Batch(ctx context.Context, ref surgical.EntityRef, ids []string) (Batch, error) {
	batch, _, err := s.batch(ctx, ref, ids, nil)
	return batch, err
}

// Children are children that [View.Batch] read. A long one is read only when it is asked
// for, so that no more than one of them has to be held at a time.
type Children struct {
	view  View
	named entries
	lists pieceLists
	items []dynamo.Item
}

// Child returns a child by its key, false if the revision does not have it.
func (c Children) Child(ctx context.Context, child string) (raw json.RawMessage, exists bool, err error) {
	entry, exists := c.named[child]
	if !exists {
		return nil, false, nil
	}
	items, lists := slices.Clone(c.items), pieceLists{}
	if pieces, long := c.lists[child]; long {
		lists[child] = pieces
		if items, err = c.view.store.pieceItems(ctx, c.view.Ref, lists); err != nil {
			return nil, false, err
		}
	}
	joined, err := joinChildren(c.view.Ref, entries{child: entry}, lists, items)
	return joined[child], err == nil, err
}

// Batch is [Store.Batch], and reads children by their keys as well. A view older than
// the expiry of its children fails, here or when a child is asked for.
func (v View) Batch(ctx context.Context, ids, children []string) (Batch, Children, error) {
	named := v.named.only(children)
	batch, items, err := v.store.batch(ctx, v.Ref, ids, named.keys(v.Ref))
	if err != nil {
		return Batch{}, Children{}, err
	}
	lists, err := listsOf(v.Ref, named, items)
	return batch, Children{v, named, lists, items}, err
}

// batch reads the other keys along, and returns their items.
func (s *Store) batch(ctx context.Context, ref surgical.EntityRef, ids []string, keys []dynamo.Item) (Batch, []dynamo.Item, error) {
	for _, id := range ids {
		keys = append(keys, key(ref, docKey(id)), key(ref, embKey(id)))
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return Batch{}, nil, fmt.Errorf("read a batch of %s: %w", ref, err)
	}
	var documents, embeddings, others []dynamo.Item
	for _, item := range items {
		sk, ok := item["sk"].(*types.AttributeValueMemberS)
		switch {
		case !ok:
			return Batch{}, nil, fmt.Errorf("read a batch of %s: an item without a sort key", ref)
		case strings.HasPrefix(sk.Value, docPrefix):
			documents = append(documents, item)
		case strings.HasPrefix(sk.Value, embPrefix):
			embeddings = append(embeddings, item)
		default:
			others = append(others, item)
		}
	}
	var batch Batch
	if batch.Documents, err = documentsOf(ref, documents); err != nil {
		return Batch{}, nil, err
	}
	if batch.Embeddings, err = embeddingsOf(ref, embeddings); err != nil {
		return Batch{}, nil, err
	}
	return batch, others, nil
}
