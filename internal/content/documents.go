package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

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
	pieces   []pieceRef
}

// Long reports whether the text is stored in items of its own and has to
// be read by [Store.Document].
func (d Document) Long() bool { return d.segments > 0 }

// textKeys returns the sort keys of the items that hold a long text, in order.
func (d Document) textKeys() []string {
	if d.segments == inPieces {
		return keysOf(d.pieces, ofDocument(d.ID))
	}
	keys := make([]string, d.segments)
	for i := range keys {
		keys[i] = docTextKey(d.ID, d.token, i)
	}
	return keys
}

// docItem is the item of a document. Long texts are stored in pieces; segments are
// those of earlier versions, or [inPieces].
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
	// Author, BeganAt (in seconds) and Begins are the document's beginning; items of
	// earlier versions have none.
	Author  string `dynamodbav:"by,omitempty"`
	BeganAt int64  `dynamodbav:"at,omitempty"`
	Begins  string `dynamodbav:"begins,omitempty"`

	Pieces *packedPieces `dynamodbav:"pieces,omitempty"`
}

// documentOf decodes the item of a document.
func documentOf(ref surgical.EntityRef, item dynamo.Item) (Document, error) {
	var row docItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return Document{}, fmt.Errorf("decode a document of %s: %w", ref, err)
	}
	d := Document{
		Document: surgical.Document{
			ID: row.ID, Title: row.Title, URL: row.URL, Confidential: row.Confidential, Text: row.Text, Hash: row.Hash,
			Beginning: surgical.Beginning{Author: row.Author, Words: row.Begins},
		},
		Revision: row.Revision, VisibleFrom: row.VisibleFrom, token: row.Token, segments: row.Segments,
	}
	if row.BeganAt != 0 {
		d.Beginning.At = time.Unix(row.BeganAt, 0).UTC()
	}
	if row.Pieces != nil {
		var err error
		if d.pieces, err = row.Pieces.unpack(); err != nil {
			return Document{}, fmt.Errorf("document %s of %s: %w", row.ID, ref, err)
		}
	}
	return d, nil
}

// docTextItem is one piece or segment of a long document.
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
	for _, name := range []string{"sk", "title", "url", "confidential", "hash", "revision", "visible_from", "token", "segments", "by", "at", "begins", "pieces"} {
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
		document, err := documentOf(ref, item)
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// SomeDocuments reads documents by their ids and leaves out those that do not
// exist. Texts that are stored in items of their own are empty.
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
		document, err := documentOf(ref, item)
		if err != nil {
			return nil, err
		}
		documents[document.ID] = document
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
	if document.Text, err = s.text(ctx, ref, document.textKeys()); err != nil {
		return Document{}, fmt.Errorf("document %s of %s: %w", id, ref, err)
	}
	return document, nil
}

// text reads and joins the items of a long text.
func (s *Store) text(ctx context.Context, ref surgical.EntityRef, sks []string) (string, error) {
	var keys []dynamo.Item
	for _, sk := range without(sks, nil) {
		keys = append(keys, key(ref, sk))
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return "", fmt.Errorf("read its text: %w", err)
	}
	held := make(map[string]*body, len(items))
	for _, item := range items {
		var row docTextItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return "", fmt.Errorf("decode its text: %w", err)
		}
		held[row.SK] = &row.body
	}
	bodies := make([]body, len(sks))
	for i, sk := range sks {
		if held[sk] == nil {
			return "", fmt.Errorf("item %d of %d is missing: %w", i+1, len(sks), errOvertaken)
		}
		bodies[i] = *held[sk]
	}
	text, err := joinBodies(bodies)
	return string(text), err
}

// WriteDocuments puts the rendered documents and deletes the others in replaced,
// together with their embeddings. replaced holds every stored document that is
// overwritten or deleted, as it was read. The write is conditional: the head must
// still have the revision that the documents were rendered from, and each stored
// document must be unchanged; otherwise the error is [surgical.ErrMoved], and the
// caller has to read again. token comes from [TextToken]. A list that does not
// fit one transaction is written by several, each with the check of the head.
func (s *Store) WriteDocuments(ctx context.Context, head surgical.Head, token string, puts []surgical.Document, replaced map[string]Document) error {
	w, err := s.documentWrites(head, token, puts, replaced)
	if err != nil {
		return err
	}
	if err := dynamo.PutAll(ctx, s.db, s.table, w.texts); err != nil {
		return fmt.Errorf("write long documents of %s: %w", head.Ref, err)
	}
	check, err := s.checkHead(head)
	if err != nil {
		return err
	}
	if err := s.transact(ctx, check, w.writes); err != nil {
		return fmt.Errorf("write documents of %s: %w", head.Ref, err)
	}
	return s.expireAll(ctx, head.Ref, w.superseded)
}

// documentWrites is what writing documents takes.
type documentWrites struct {
	// writes are those of the transactions.
	writes []types.TransactWriteItem
	// texts are the pieces that have to be written before them.
	texts []dynamo.Item
	// superseded are the sort keys of texts that no document names afterwards.
	superseded []string
}

func (s *Store) documentWrites(head surgical.Head, token string, puts []surgical.Document, replaced map[string]Document) (w documentWrites, err error) {
	var packer packer
	now := make(map[string]Document, len(puts))
	for _, put := range puts {
		document, pieces, err := packed(&packer, head, token, put, replaced[put.ID])
		if err != nil {
			return w, fmt.Errorf("pack document %s of %s: %w", put.ID, head.Ref, err)
		}
		now[put.ID] = document
		w.texts = append(w.texts, pieces...)
		item, err := attributevalue.MarshalMap(itemOfDocument(head.Ref, document))
		if err != nil {
			return w, fmt.Errorf("encode document %s of %s: %w", put.ID, head.Ref, err)
		}
		asRead, err := unchanged(replaced[put.ID])
		if err != nil {
			return w, err
		}
		w.writes = append(w.writes, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.table, Item: item, ConditionExpression: asRead.Condition(),
			ExpressionAttributeNames: asRead.Names(), ExpressionAttributeValues: asRead.Values(),
		}})
	}
	for _, id := range sortedKeys(replaced) {
		w.superseded = append(w.superseded, without(replaced[id].textKeys(), now[id].textKeys())...)
		if _, kept := now[id]; kept {
			continue
		}
		asRead, err := unchanged(replaced[id])
		if err != nil {
			return w, err
		}
		gone := s.delete(key(head.Ref, docKey(id)))
		gone.Delete.ConditionExpression = asRead.Condition()
		gone.Delete.ExpressionAttributeNames, gone.Delete.ExpressionAttributeValues = asRead.Names(), asRead.Values()
		// Vectors are ignored unless embeddings name them.
		w.writes = append(w.writes, gone, s.delete(key(head.Ref, embKey(id))))
	}
	return w, nil
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

// packed returns the document as it is to be stored under the head in place of old,
// and the items of its pieces that are not stored yet. Pieces of a hidden document
// are not used again: they are removed with it.
func packed(packer *packer, head surgical.Head, token string, d surgical.Document, old Document) (Document, []dynamo.Item, error) {
	stored := Document{Document: d, Revision: head.Revision, VisibleFrom: head.DocumentsVisibleFrom}
	if len(d.Text) <= plainLimit {
		return stored, nil, nil
	}
	if old.Revision < head.DocumentsVisibleFrom {
		old.pieces = nil
	}
	stored.Text, stored.token, stored.segments = "", token, inPieces
	var fresh []newPiece
	var err error
	if stored.pieces, fresh, err = packer.pack([]byte(d.Text), token, old.pieces); err != nil {
		return Document{}, nil, err
	}
	items := make([]dynamo.Item, len(fresh))
	for i, piece := range fresh {
		row := docTextItem{PK: partition(head.Ref), SK: pieceKey(ofDocument(d.ID), piece.ref), Revision: head.Revision, body: body{Zstd: bytes.Clone(packer.compressed(piece))}}
		if items[i], err = attributevalue.MarshalMap(row); err != nil {
			return Document{}, nil, fmt.Errorf("encode a piece: %w", err)
		}
	}
	return stored, items, nil
}

func itemOfDocument(ref surgical.EntityRef, d Document) docItem {
	row := docItem{
		PK: partition(ref), SK: docKey(d.ID), ID: d.ID, Title: d.Title, URL: d.URL, Confidential: d.Confidential,
		Hash: d.Hash, Revision: d.Revision, VisibleFrom: d.VisibleFrom, Text: d.Text, Token: d.token, Segments: d.segments,
		Author: d.Beginning.Author, Begins: d.Beginning.Words,
	}
	if at := d.Beginning.At; !at.IsZero() {
		row.BeganAt = at.Unix()
	}
	if d.pieces != nil {
		pieces := packPieces(d.pieces)
		row.Pieces = &pieces
	}
	return row
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
