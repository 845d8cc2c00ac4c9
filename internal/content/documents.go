package content

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Document is a document as it is stored.
type Document struct {
	surgical.Document
	// Revision is the revision of the head that the document was rendered from.
	Revision int64
	// VisibleFrom is the documents_visible_from of that head: vectors of older
	// revisions must not be reused.
	VisibleFrom int64

	token    string
	segments int
}

// Segmented reports whether the text is stored in items of its own and has to
// be read by [Store.Document].
func (d Document) Segmented() bool { return d.segments > 0 }

// docItem is the item of a document. Long texts are stored in segments.
type docItem struct {
	PK           string `dynamodbav:"pk"`
	SK           string `dynamodbav:"sk"`
	ID           string `dynamodbav:"document_id"`
	Title        string `dynamodbav:"title"`
	URL          string `dynamodbav:"url,omitempty"`
	Confidential bool   `dynamodbav:"confidential,omitempty"`
	Hash         string `dynamodbav:"hash"`
	Revision     int64  `dynamodbav:"revision"`
	VisibleFrom  int64  `dynamodbav:"visible_from,omitempty"`
	Text         string `dynamodbav:"text,omitempty"`
	Token        string `dynamodbav:"token,omitempty"`
	Segments     int    `dynamodbav:"segments,omitempty"`
}

func (d docItem) document() Document {
	return Document{
		Document: surgical.Document{ID: d.ID, Title: d.Title, URL: d.URL, Confidential: d.Confidential, Text: d.Text, Hash: d.Hash},
		Revision: d.Revision, VisibleFrom: d.VisibleFrom, token: d.Token, segments: d.Segments,
	}
}

// docTextItem is one segment of a long document.
type docTextItem struct {
	PK       string `dynamodbav:"pk"`
	SK       string `dynamodbav:"sk"`
	Revision int64  `dynamodbav:"revision"`
	body
}

// Documents lists the entity's documents without their texts, in order of
// their ids. It does not leave out hidden documents: compare Revision with
// DocumentsVisibleFrom of the head.
func (s *Store) Documents(ctx context.Context, ref surgical.EntityRef) ([]Document, error) {
	names := []expression.NameBuilder{}
	for _, name := range []string{"sk", "title", "url", "confidential", "hash", "revision", "visible_from", "token", "segments"} {
		names = append(names, expression.Name(name))
	}
	in, err := s.collection(ref, docPrefix, append(names, expression.Name("document_id"))...)
	if err != nil {
		return nil, err
	}
	var documents []Document
	for item, err := range dynamo.QueryAll(ctx, s.db, in) {
		if err != nil {
			return nil, fmt.Errorf("list documents of %s: %w", ref, err)
		}
		var row docItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a document of %s: %w", ref, err)
		}
		documents = append(documents, row.document())
	}
	return documents, nil
}

// SomeDocuments reads documents by their ids and leaves out those that do not
// exist. Texts that are stored in segments are empty.
func (s *Store) SomeDocuments(ctx context.Context, ref surgical.EntityRef, ids []string) (map[string]Document, error) {
	keys := make([]dynamo.Item, len(ids))
	for i, id := range ids {
		keys[i] = key(ref, docKey(id))
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read documents of %s: %w", ref, err)
	}
	return documentsOf(ref, items)
}

func documentsOf(ref surgical.EntityRef, items []dynamo.Item) (map[string]Document, error) {
	documents := make(map[string]Document, len(items))
	for _, item := range items {
		var row docItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a document of %s: %w", ref, err)
		}
		documents[row.ID] = row.document()
	}
	return documents, nil
}

// Document reads one document with its text. If it does not exist, the result
// has revision 0.
func (s *Store) Document(ctx context.Context, ref surgical.EntityRef, id string) (Document, error) {
	for try := 1; ; try++ {
		document, err := s.document(ctx, ref, id)
		if !errors.Is(err, errOvertaken) || try == maxOvertaken {
			return document, err
		}
	}
}

func (s *Store) document(ctx context.Context, ref surgical.EntityRef, id string) (Document, error) {
	documents, err := s.SomeDocuments(ctx, ref, []string{id})
	if err != nil {
		return Document{}, err
	}
	document := documents[id]
	if document.segments == 0 {
		return document, nil
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, s.textKeys(ref, document))
	if err != nil {
		return Document{}, fmt.Errorf("read document %s of %s: %w", id, ref, err)
	}
	if len(items) != document.segments {
		return Document{}, fmt.Errorf("document %s of %s: %d of %d segments: %w", id, ref, len(items), document.segments, errOvertaken)
	}
	bodies := make([]body, document.segments)
	for _, item := range items {
		var row docTextItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return Document{}, fmt.Errorf("decode document %s of %s: %w", id, ref, err)
		}
		var n int
		if _, err := fmt.Sscanf(row.SK[len(row.SK)-3:], "%d", &n); err != nil || n >= len(bodies) {
			return Document{}, fmt.Errorf("segment %s of %s is out of place", row.SK, ref)
		}
		bodies[n] = row.body
	}
	if document.Text, err = joinBodies(bodies); err != nil {
		return Document{}, fmt.Errorf("document %s of %s: %w", id, ref, err)
	}
	return document, nil
}

func (s *Store) textKeys(ref surgical.EntityRef, d Document) []dynamo.Item {
	keys := make([]dynamo.Item, d.segments)
	for i := range keys {
		keys[i] = key(ref, docTextKey(d.ID, d.token, i))
	}
	return keys
}

// WriteDocuments puts the rendered documents and deletes the others in replaced,
// together with their embeddings. replaced holds every stored document that is
// overwritten or deleted, as it was read. The write is conditional: the head must
// still have the revision that the documents were rendered from, and each stored
// document must be unchanged; otherwise the error is [surgical.ErrMoved], and the
// caller has to read again. token comes from [TextToken]. A list that does not
// fit one transaction is written by several, each with the check of the head.
func (s *Store) WriteDocuments(ctx context.Context, head surgical.Head, token string, puts []surgical.Document, replaced map[string]Document) error {
	writes, texts, err := s.documentWrites(head, token, puts, replaced)
	if err != nil {
		return err
	}
	if err := dynamo.PutAll(ctx, s.db, s.table, texts); err != nil {
		return fmt.Errorf("write long documents of %s: %w", head.Ref, err)
	}
	check, err := s.checkHead(head)
	if err != nil {
		return err
	}
	if err := s.transact(ctx, check, writes); err != nil {
		return fmt.Errorf("write documents of %s: %w", head.Ref, err)
	}
	for _, id := range sortedKeys(replaced) {
		old := replaced[id]
		for i := range old.segments {
			if err := s.expire(ctx, head.Ref, docTextKey(old.ID, old.token, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// documentWrites returns the writes of the transactions, and the segments that
// have to be written before them.
func (s *Store) documentWrites(head surgical.Head, token string, puts []surgical.Document, replaced map[string]Document) (writes []types.TransactWriteItem, texts []dynamo.Item, err error) {
	kept := make(map[string]bool, len(puts))
	for _, document := range puts {
		kept[document.ID] = true
		item, segments, err := s.documentItems(head, token, document)
		if err != nil {
			return nil, nil, err
		}
		asRead, err := unchanged(replaced[document.ID])
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, segments...)
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.table, Item: item, ConditionExpression: asRead.Condition(),
			ExpressionAttributeNames: asRead.Names(), ExpressionAttributeValues: asRead.Values(),
		}})
	}
	for _, id := range sortedKeys(replaced) {
		if kept[id] {
			continue
		}
		asRead, err := unchanged(replaced[id])
		if err != nil {
			return nil, nil, err
		}
		gone := s.delete(key(head.Ref, docKey(id)))
		gone.Delete.ConditionExpression = asRead.Condition()
		gone.Delete.ExpressionAttributeNames, gone.Delete.ExpressionAttributeValues = asRead.Names(), asRead.Values()
		// Vectors are ignored unless embeddings name them.
		writes = append(writes, gone, s.delete(key(head.Ref, embKey(id))))
	}
	return writes, texts, nil
}

// unchanged is the condition that the stored document is the one that was read.
// The zero Document means that there was none.
func unchanged(d Document) (expression.Expression, error) {
	condition := expression.AttributeNotExists(expression.Name("pk"))
	if d.Revision > 0 {
		condition = expression.Name("hash").Equal(expression.Value(d.Hash)).
			And(expression.Name("revision").Equal(expression.Value(d.Revision)))
		token := expression.Name("token")
		if d.token == "" {
			condition = condition.And(expression.AttributeNotExists(token))
		} else {
			condition = condition.And(token.Equal(expression.Value(d.token)))
		}
	}
	return expression.NewBuilder().WithCondition(condition).Build()
}

func (s *Store) documentItems(head surgical.Head, token string, d surgical.Document) (dynamo.Item, []dynamo.Item, error) {
	row := docItem{
		PK: partition(head.Ref), SK: docKey(d.ID), ID: d.ID, Title: d.Title, URL: d.URL, Confidential: d.Confidential,
		Hash: d.Hash, Revision: head.Revision, VisibleFrom: head.DocumentsVisibleFrom,
	}
	bodies, err := splitBody(d.Text)
	if err != nil {
		return nil, nil, fmt.Errorf("pack document %s of %s: %w", d.ID, head.Ref, err)
	}
	var segments []dynamo.Item
	if bodies[0].Zstd == nil {
		row.Text = d.Text
		bodies = nil
	} else {
		row.Token, row.Segments = token, len(bodies)
	}
	for i, b := range bodies {
		segment, err := attributevalue.MarshalMap(docTextItem{PK: row.PK, SK: docTextKey(d.ID, token, i), Revision: head.Revision, body: b})
		if err != nil {
			return nil, nil, fmt.Errorf("encode document %s of %s: %w", d.ID, head.Ref, err)
		}
		segments = append(segments, segment)
	}
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		return nil, nil, fmt.Errorf("encode document %s of %s: %w", d.ID, head.Ref, err)
	}
	return item, segments, nil
}

// checkHead is the condition that the head has the revision that was read.
func (s *Store) checkHead(head surgical.Head) (types.TransactWriteItem, error) {
	return s.check(key(head.Ref, headKey), expression.Name("revision").Equal(expression.Value(head.Revision)))
}

func (s *Store) check(key dynamo.Item, condition expression.ConditionBuilder) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(condition).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("check: %w", err)
	}
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &s.table, Key: key, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}
