package content

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// VisibleDocumentsOf reads documents of several entities, by their ids, and leaves out
// what is not shown: the result is what a read of each entity would have shown at one
// moment during the call. It reads no embeddings, and long documents without their texts.
func (r *Reader) VisibleDocumentsOf(ctx context.Context, ids map[surgical.EntityRef][]string) (map[surgical.EntityRef]ShownDocuments, error) {
	var keys []dynamo.Item
	for ref, documents := range ids {
		for _, id := range documents {
			keys = append(keys, key(ref, docKey(id)))
		}
	}
	items, err := dynamo.GetAll(ctx, r.store.db, r.store.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	found := make(map[surgical.EntityRef][]Document, len(ids))
	for _, item := range items {
		ref, err := refOf(item)
		if err != nil {
			return nil, err
		}
		document, err := documentOf(ref, item)
		if err != nil {
			return nil, err
		}
		found[ref] = append(found[ref], document)
	}
	// The heads are read last, so that they hide what they have to.
	heads, err := r.VisibleHeads(ctx, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return nil, err
	}
	shown := make(map[surgical.EntityRef]ShownDocuments, len(heads))
	for ref, head := range heads {
		shown[ref] = ShownDocuments{Head: head, Documents: shownOf(found[ref], head, surgical.Sight{Confidential: r.confidential})}
	}
	return shown, nil
}

// VisibleDocument reads one document with its text. If it does not exist or is not shown,
// it has revision 0; if the entity is not shown, the error says why.
func (r *Reader) VisibleDocument(ctx context.Context, ref surgical.EntityRef, id string) (Document, error) {
	document, err := r.store.Document(ctx, ref, id)
	if err != nil {
		return Document{}, err
	}
	head, err := r.VisibleHead(ctx, ref)
	if err != nil {
		return Document{}, err
	}
	if len(shownOf([]Document{document}, head, surgical.Sight{Confidential: r.confidential})) == 0 {
		return Document{}, nil
	}
	return document, nil
}

// refOf returns the entity that an item belongs to.
func refOf(item dynamo.Item) (surgical.EntityRef, error) {
	pk := stringOf(item, "pk")
	ref, err := surgical.ParseEntityRef(strings.TrimPrefix(pk, partitionPrefix))
	if err != nil {
		return ref, fmt.Errorf("an item under %q: %w", pk, err)
	}
	return ref, nil
}
