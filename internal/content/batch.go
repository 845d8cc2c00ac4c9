package content

import (
	"context"
	"encoding/json"
	"fmt"
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

// Batch is [Store.Batch], and reads children by their keys as well; those that
// the revision does not have are left out. A view older than the expiry of its
// children fails.
func (v View) Batch(ctx context.Context, ids, children []string) (Batch, map[string]json.RawMessage, error) {
	named := v.only(children)
	var keys []dynamo.Item
	for child, entry := range named {
		for _, sk := range entry.keys(child) {
			keys = append(keys, key(v.Ref, sk))
		}
	}
	batch, items, err := v.store.batch(ctx, v.Ref, ids, keys)
	if err != nil {
		return Batch{}, nil, err
	}
	lists, err := listsOf(v.Ref, named, items)
	if err != nil {
		return Batch{}, nil, err
	}
	pieces, err := v.store.pieceItems(ctx, v.Ref, lists)
	if err != nil {
		return Batch{}, nil, err
	}
	loaded, err := joinChildren(v.Ref, named, lists, append(items, pieces...))
	return batch, loaded, err
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
