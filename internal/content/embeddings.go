package content

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Embeddings lists the chunks of a document that are embedded. The vectors are
// separate items, and only those that are listed here count.
type Embeddings struct {
	DocumentID string
	// DocumentHash and Revision are those of the document that was embedded.
	DocumentHash string
	Revision     int64
	Model        string
	// Chunks are the hashes of the chunks, in order.
	Chunks []string
}

type embItem struct {
	PK           string   `dynamodbav:"pk"`
	SK           string   `dynamodbav:"sk"`
	DocumentID   string   `dynamodbav:"document_id"`
	DocumentHash string   `dynamodbav:"document_hash"`
	Revision     int64    `dynamodbav:"revision"`
	Model        string   `dynamodbav:"model"`
	Chunks       []string `dynamodbav:"chunks"`
}

// vecItem is the vector of one chunk, as little-endian 32-bit floats.
type vecItem struct {
	PK       string `dynamodbav:"pk"`
	SK       string `dynamodbav:"sk"`
	Revision int64  `dynamodbav:"revision"`
	Model    string `dynamodbav:"model"`
	Vector   []byte `dynamodbav:"vector"`
}

// Embeddings reads the embeddings of the documents, by document id. Documents
// without embeddings are left out, hidden embeddings are not: see
// [Embeddings.Current].
func (s *Store) Embeddings(ctx context.Context, ref surgical.EntityRef, documents []string) (map[string]Embeddings, error) {
	keys := make([]dynamo.Item, len(documents))
	for i, id := range documents {
		keys[i] = key(ref, embKey(id))
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read embeddings of %s: %w", ref, err)
	}
	return embeddingsOf(ref, items)
}

func embeddingsOf(ref surgical.EntityRef, items []dynamo.Item) (map[string]Embeddings, error) {
	found := make(map[string]Embeddings, len(items))
	for _, item := range items {
		var row embItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode embeddings of %s: %w", ref, err)
		}
		found[row.DocumentID] = Embeddings{row.DocumentID, row.DocumentHash, row.Revision, row.Model, row.Chunks}
	}
	return found, nil
}

// Embedded lists the ids of all documents that embeddings or vectors are stored
// for, visible or not.
func (s *Store) Embedded(ctx context.Context, ref surgical.EntityRef) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, prefix := range []string{embPrefix, vecPrefix} {
		in, err := s.collection(ref, prefix, expression.Name("sk"))
		if err != nil {
			return nil, err
		}
		for item, err := range dynamo.QueryAll(ctx, s.db, in) {
			if err != nil {
				return nil, fmt.Errorf("list embeddings of %s: %w", ref, err)
			}
			sk, ok := item["sk"].(*types.AttributeValueMemberS)
			if !ok {
				return nil, fmt.Errorf("embeddings of %s: an item without a sort key", ref)
			}
			id := strings.TrimPrefix(sk.Value, prefix)
			if prefix == vecPrefix {
				id = id[:strings.LastIndexByte(id, '#')]
			}
			ids[id] = true
		}
	}
	return ids, nil
}

// Current reports whether the embeddings were made of the document with this
// hash and are visible under the head.
func (e Embeddings) Current(head surgical.Head, documentHash string) bool {
	return e.DocumentHash == documentHash && e.Revision >= head.DocumentsVisibleFrom
}

// Vector is one stored vector.
type Vector struct {
	Chunk    string
	Revision int64
	Model    string
	Values   []float32
}

// Vectors reads all vectors stored for the document, by the hash of the chunk,
// including those that its embeddings do not name.
func (s *Store) Vectors(ctx context.Context, ref surgical.EntityRef, document string) (map[string]Vector, error) {
	in, err := s.collection(ref, vecKey(document, ""))
	if err != nil {
		return nil, err
	}
	vectors := map[string]Vector{}
	for item, err := range dynamo.QueryAll(ctx, s.db, in) {
		if err != nil {
			return nil, fmt.Errorf("read vectors of %s: %w", ref, err)
		}
		var row vecItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a vector of %s: %w", ref, err)
		}
		chunk := row.SK[strings.LastIndexByte(row.SK, '#')+1:]
		vectors[chunk] = Vector{Chunk: chunk, Revision: row.Revision, Model: row.Model, Values: unpackVector(row.Vector)}
	}
	return vectors, nil
}

// PutVectors stores vectors of the document's chunks before the embeddings that
// name them. embedded says whether the document has embeddings: if not, empty ones
// that are not current are stored first, so that the next attempt to embed the document
// finds the vectors. If the document is no longer the one that was read, or has
// embeddings although embedded is false, nothing is written and the error is
// [surgical.ErrMoved].
func (s *Store) PutVectors(ctx context.Context, ref surgical.EntityRef, document Document, model string, fresh map[string][]float32, embedded bool) error {
	puts, err := s.vectorPuts(ref, document, model, fresh)
	if err != nil {
		return err
	}
	check, err := s.checkDocument(ref, document)
	if err != nil {
		return err
	}
	if !embedded && len(puts) > 0 {
		begun, err := s.putBegun(ref, document, model)
		if err != nil {
			return err
		}
		puts = append([]types.TransactWriteItem{begun}, puts...)
	}
	if err := s.transact(ctx, check, puts); err != nil {
		return fmt.Errorf("write vectors of %s: %w", ref, err)
	}
	return nil
}

// putBegun inserts embeddings without chunks. Their hash is that of no document.
func (s *Store) putBegun(ref surgical.EntityRef, document Document, model string) (types.TransactWriteItem, error) {
	put, err := s.putEmbeddings(ref, Embeddings{DocumentID: document.ID, Revision: document.Revision, Model: model, Chunks: []string{}})
	if err != nil {
		return put, err
	}
	absent, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("pk"))).Build()
	if err != nil {
		return put, fmt.Errorf("build condition: %w", err)
	}
	put.Put.ConditionExpression, put.Put.ExpressionAttributeNames = absent.Condition(), absent.Names()
	return put, nil
}

func (s *Store) putEmbeddings(ref surgical.EntityRef, e Embeddings) (types.TransactWriteItem, error) {
	row, err := attributevalue.MarshalMap(embItem{partition(ref), embKey(e.DocumentID), e.DocumentID, e.DocumentHash, e.Revision, e.Model, e.Chunks})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode embeddings of %s: %w", ref, err)
	}
	return s.put(row), nil
}

// EmbeddingsWrite makes Chunks, in this order, the embeddings of a document. The
// Fresh vectors are put; Stored ones that are not among Chunks are deleted.
type EmbeddingsWrite struct {
	Document Document
	Model    string
	Chunks   []string
	Fresh    map[string][]float32
	Stored   map[string]Vector
}

// WriteEmbeddings writes the embeddings of each document, on the condition that
// the document is still the one that was read. Several documents share a
// transaction if they fit, so after [surgical.ErrMoved] the caller has to try
// them one by one.
func (s *Store) WriteEmbeddings(ctx context.Context, ref surgical.EntityRef, writes ...EmbeddingsWrite) error {
	list := make([]checked, 0, len(writes))
	for _, write := range writes {
		check, items, err := s.embeddingItems(ref, write)
		if err != nil {
			return err
		}
		list = append(list, checked{check, items})
	}
	if err := s.transactTogether(ctx, list); err != nil {
		return fmt.Errorf("write embeddings of %s: %w", ref, err)
	}
	return nil
}

// embeddingItems returns the check and the writes for one document. Vectors come
// first, so that embeddings never name a vector that is not stored.
func (s *Store) embeddingItems(ref surgical.EntityRef, w EmbeddingsWrite) (check types.TransactWriteItem, items []types.TransactWriteItem, err error) {
	items, err = s.vectorPuts(ref, w.Document, w.Model, w.Fresh)
	if err != nil {
		return check, nil, err
	}
	row, err := s.putEmbeddings(ref, Embeddings{w.Document.ID, w.Document.Hash, w.Document.Revision, w.Model, w.Chunks})
	if err != nil {
		return check, nil, err
	}
	items = append(items, row)
	for _, chunk := range sortedKeys(w.Stored) {
		if !slices.Contains(w.Chunks, chunk) {
			items = append(items, s.delete(key(ref, vecKey(w.Document.ID, chunk))))
		}
	}
	check, err = s.checkDocument(ref, w.Document)
	return check, items, err
}

func (s *Store) vectorPuts(ref surgical.EntityRef, document Document, model string, fresh map[string][]float32) ([]types.TransactWriteItem, error) {
	var puts []types.TransactWriteItem
	for _, chunk := range sortedKeys(fresh) {
		item, err := attributevalue.MarshalMap(vecItem{partition(ref), vecKey(document.ID, chunk), document.Revision, model, packVector(fresh[chunk])})
		if err != nil {
			return nil, fmt.Errorf("encode a vector of %s: %w", ref, err)
		}
		puts = append(puts, s.put(item))
	}
	return puts, nil
}

// RemoveEmbeddings deletes the embeddings and vectors of the documents, on the
// condition that none of these documents exists. The writes share transactions, so
// after [surgical.ErrMoved] the caller has to try the documents one by one.
func (s *Store) RemoveEmbeddings(ctx context.Context, ref surgical.EntityRef, documents ...string) error {
	return s.removeEmbeddings(ctx, ref, embPrefix, documents)
}

// RemoveVectors is [Store.RemoveEmbeddings] for documents whose embeddings
// [Store.WriteDocuments] deleted with them: only vectors are left.
func (s *Store) RemoveVectors(ctx context.Context, ref surgical.EntityRef, documents ...string) error {
	return s.removeEmbeddings(ctx, ref, vecPrefix, documents)
}

// removeEmbeddings deletes the vectors of the documents and, if from is embPrefix,
// the embeddings that name them.
func (s *Store) removeEmbeddings(ctx context.Context, ref surgical.EntityRef, from string, documents []string) error {
	removals := make([]checked, len(documents))
	group, queries := parallel.WithContext(ctx)
	group.SetLimit(parallelQueries)
	for i, document := range documents {
		group.Go(func() (err error) {
			removals[i], err = s.removal(queries, ref, from, document)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.transactTogether(ctx, removals); err != nil {
		return fmt.Errorf("remove embeddings of %s: %w", ref, err)
	}
	return nil
}

// parallelQueries bounds concurrent queries for the vectors of documents.
const parallelQueries = 16

func (s *Store) removal(ctx context.Context, ref surgical.EntityRef, from, document string) (checked, error) {
	in, err := s.collection(ref, vecKey(document, ""), expression.Name("sk"))
	if err != nil {
		return checked{}, err
	}
	var deletes []types.TransactWriteItem
	if from == embPrefix {
		deletes = append(deletes, s.delete(key(ref, embKey(document))))
	}
	for item, err := range dynamo.QueryAll(ctx, s.db, in) {
		if err != nil {
			return checked{}, fmt.Errorf("list vectors of %s: %w", ref, err)
		}
		sk, ok := item["sk"].(*types.AttributeValueMemberS)
		if !ok {
			return checked{}, fmt.Errorf("vectors of %s: an item without a sort key", ref)
		}
		deletes = append(deletes, s.delete(key(ref, sk.Value)))
	}
	check, err := s.check(key(ref, docKey(document)), expression.AttributeNotExists(expression.Name("pk")))
	return checked{check, deletes}, err
}

// checkDocument is the condition that the document is the one that was read.
func (s *Store) checkDocument(ref surgical.EntityRef, d Document) (types.TransactWriteItem, error) {
	return s.check(key(ref, docKey(d.ID)), expression.Name("hash").Equal(expression.Value(d.Hash)).
		And(expression.Name("revision").Equal(expression.Value(d.Revision))))
}

func (s *Store) put(item dynamo.Item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &s.table, Item: item}}
}

func (s *Store) delete(key dynamo.Item) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &s.table, Key: key}}
}

func packVector(values []float32) []byte {
	packed := make([]byte, 0, 4*len(values))
	for _, v := range values {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(v))
	}
	return packed
}

func unpackVector(packed []byte) []float32 {
	values := make([]float32, len(packed)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
	}
	return values
}
