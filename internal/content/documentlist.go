package content

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// documentsAPage is how many documents one query reads. It is small because a
// reader may stop after the first few.
const documentsAPage = 50

// DocumentsAfter yields the entity's documents with their texts, in order of
// their ids, starting after the given id; "" starts at the first. It does not
// leave out hidden documents: compare Revision with a head read afterwards.
func (s *Store) DocumentsAfter(ctx context.Context, ref surgical.EntityRef, id string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		in, err := s.collection(ref, docPrefix)
		if err != nil {
			yield(Document{}, err)
			return
		}
		in.Limit = aws.Int32(documentsAPage)
		if id != "" {
			in.ExclusiveStartKey = key(ref, docKey(id))
		}
		for item, err := range dynamo.QueryAll(ctx, s.db, in) {
			document, err := s.whole(ctx, ref, item, err)
			if err == nil && document.Revision == 0 {
				continue // deleted since it was listed
			}
			if !yield(document, err) || err != nil {
				return
			}
		}
	}
}

// whole decodes a document, and reads its text if that is stored in items of its own.
func (s *Store) whole(ctx context.Context, ref surgical.EntityRef, item dynamo.Item, err error) (Document, error) {
	if err != nil {
		return Document{}, fmt.Errorf("list documents of %s: %w", ref, err)
	}
	document, err := documentOf(ref, item)
	if err != nil || !document.Long() {
		return document, err
	}
	return s.Document(ctx, ref, document.ID)
}
