// Package manifest stores what the search index consists of: one item of the state
// table names all of its objects, or the index in OpenSearch. A writer replaces the item,
// on condition that nobody else did.
package manifest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The formats of an index. One of another format than the engine's is rebuilt.
const (
	// Embedded is that of the embedded engine: the version of its objects.
	Embedded = 1
	// OpenSearch is that of an index in OpenSearch.
	OpenSearch = 2
)

// Manifest says what the index consists of.
type Manifest struct {
	// Version is raised by every change of the manifest; 0 means that there is none.
	Version int64 `dynamodbav:"version"`
	// Format says which engine the index belongs to.
	Format int `dynamodbav:"format"`
	// Language is that of the texts.
	Language string `dynamodbav:"language"`
	// Model is that of the vectors; "" if the index has none.
	Model string `dynamodbav:"model,omitempty"`
	// Edition counts the changes of what the index contains: batches and rebuilds.
	Edition int64 `dynamodbav:"edition"`
	// Base is what the batches are added to.
	Base Base `dynamodbav:"base"`
	// Batches are those behind the base, in order.
	Batches []Batch `dynamodbav:"batches,omitempty"`
	// Cursor is where the source goes on, and AsOf (in microseconds) a time before
	// which all changes are in the index.
	Cursor string `dynamodbav:"cursor"`
	AsOf   int64  `dynamodbav:"as_of"`
	// Previous is an older base with its own batches; together with Batches it says the
	// same as Base. It serves when Base is damaged.
	Previous *Previous `dynamodbav:"previous,omitempty"`
	// Retired are objects, and indexes in OpenSearch, that are no longer named, until they
	// are deleted.
	Retired []Retired `dynamodbav:"retired,omitempty"`
	// SweptAt is when the bucket was last searched for objects that no manifest names
	// (microseconds). What was written long before that, and is not named here, may
	// have been deleted.
	SweptAt int64 `dynamodbav:"swept_at,omitempty"`
	// RebuiltFor is the request that the last rebuild answered.
	RebuiltFor int64 `dynamodbav:"rebuilt_for,omitempty"`
	// Index is the name of an index in OpenSearch, and Dimensions the length of its
	// vectors, 0 before it has any.
	Index      string `dynamodbav:"index,omitempty"`
	Dimensions int    `dynamodbav:"dimensions,omitempty"`
	// Open is a writer that has begun to write to an index in OpenSearch and not ended.
	Open *Open `dynamodbav:"open,omitempty"`
	// RemovedAt is since when an index in OpenSearch may have text that was removed, and
	// FlushedAt when maintenance began to expunge it (microseconds); 0 for never.
	RemovedAt int64 `dynamodbav:"removed_at,omitempty"`
	FlushedAt int64 `dynamodbav:"flushed_at,omitempty"`
	// By is the writer of this version.
	By string `dynamodbav:"by"`
}

// Base is the index as of one edition.
type Base struct {
	// Edition is the last one that the base contains.
	Edition int64 `dynamodbav:"edition"`
	// BuiltAt is when it was built, and AsOf what Manifest.AsOf was then (microseconds).
	BuiltAt int64 `dynamodbav:"built_at"`
	AsOf    int64 `dynamodbav:"as_of"`
	// Catalog has what the index knows of the entities, Texts is the packed bleve
	// index, and Vectors a flat file; it is missing if there are none.
	Catalog Object  `dynamodbav:"catalog"`
	Texts   Object  `dynamodbav:"texts"`
	Vectors *Object `dynamodbav:"vectors,omitempty"`

	Entities  int `dynamodbav:"entities"`
	Documents int `dynamodbav:"documents"`
	Chunks    int `dynamodbav:"chunks"`
	// Bytes is the size of an index in OpenSearch. It and the three numbers above are as
	// of its last maintenance.
	Bytes int64 `dynamodbav:"bytes,omitempty"`
}

// Open is a writer that has begun.
type Open struct {
	// Entities are the keys of the entities that it may write.
	Entities []string `dynamodbav:"entities"`
}

// Objects are those of the base; an index in OpenSearch has none.
func (b Base) Objects() []Object {
	if b.Texts.Key == "" {
		return nil
	}
	objects := []Object{b.Catalog, b.Texts}
	if b.Vectors != nil {
		objects = append(objects, *b.Vectors)
	}
	return objects
}

// Object is an object in the bucket.
type Object struct {
	Key    string `dynamodbav:"key"`
	Bytes  int64  `dynamodbav:"bytes"`
	SHA256 []byte `dynamodbav:"sha256"`
	// ETag is S3's, which changes with the content.
	ETag string `dynamodbav:"etag,omitempty"`
}

// Batch is an object of changes.
type Batch struct {
	Object
	// Edition is the one that the batch led to.
	Edition int64 `dynamodbav:"edition"`
	// AsOf and At are what Manifest.AsOf became, and when (microseconds).
	AsOf int64 `dynamodbav:"as_of"`
	At   int64 `dynamodbav:"at"`
	// Documents is how many it puts or removes.
	Documents int `dynamodbav:"documents"`
	// Removes reports whether it removes or replaces text that an older object has.
	Removes bool `dynamodbav:"removes,omitempty"`
}

// Previous is a base that was replaced.
type Previous struct {
	Base    Base    `dynamodbav:"base"`
	Batches []Batch `dynamodbav:"batches,omitempty"`
	// RemovedAt is since when it has text that was removed; 0 if it has none.
	RemovedAt int64 `dynamodbav:"removed_at,omitempty"`
}

// Retired is an object, or an index in OpenSearch, that no longer counts.
type Retired struct {
	Key string `dynamodbav:"key"`
	At  int64  `dynamodbav:"at"`
}

// Exists reports whether there is an index.
func (m Manifest) Exists() bool { return m.Version > 0 }

// Names reports whether the manifest names the object.
func (m Manifest) Names(key string) bool {
	for _, o := range m.Named() {
		if o.Key == key {
			return true
		}
	}
	return false
}

// Named are all objects that the manifest names, except retired ones.
func (m Manifest) Named() []Object {
	var named []Object
	if m.Exists() {
		named = append(named, m.Base.Objects()...)
	}
	batches := m.Batches
	if m.Previous != nil {
		named = append(named, m.Previous.Base.Objects()...)
		batches = append(batches[:len(batches):len(batches)], m.Previous.Batches...)
	}
	for _, b := range batches {
		named = append(named, b.Object)
	}
	return named
}

// Outdated says why an engine of this format, language and model has to rebuild the index
// before it can follow its source; "" if it need not. requested is that of
// [Store.Requested].
func (m Manifest) Outdated(requested int64, format int, language, model string) string {
	switch {
	case !m.Exists():
		return "there is no index"
	case requested > m.RebuiltFor:
		return "requested"
	case m.Format != format:
		return "another engine"
	case m.Language != language:
		return "another language"
	case m.Model != model:
		return "another model"
	}
	return ""
}

// skew is by how much the clocks of a function, and of what keeps the index, may differ.
const skew = 10 * time.Minute

// Swept reports whether what was written since a time may have been deleted, because no
// manifest named it for too long.
func (m Manifest) Swept(since time.Time) bool {
	return m.SweptAt != 0 && since.Before(time.UnixMicro(m.SweptAt).Add(skew-surgical.IndexUnnamed))
}

// Older reports whether a time in microseconds lies at least so far before now; 0 never
// does.
func Older(now time.Time, micros int64, age time.Duration) bool {
	return micros != 0 && now.Sub(time.UnixMicro(micros)) >= age
}

// RemovedAt returns since when the base or a batch has had text that was removed
// since (microseconds); 0 if none has.
func RemovedAt(batches []Batch) int64 {
	for _, b := range batches {
		if b.Removes {
			return b.At
		}
	}
	return 0
}

// Retire adds objects to the retired ones.
func (m *Manifest) Retire(at time.Time, objects ...Object) {
	for _, o := range objects {
		m.Retired = append(m.Retired, Retired{o.Key, at.UnixMicro()})
	}
}

// RetiredKeys returns the keys of the retired objects.
func (m Manifest) RetiredKeys() map[string]bool {
	keys := make(map[string]bool, len(m.Retired))
	for _, r := range m.Retired {
		keys[r.Key] = true
	}
	return keys
}

// Store keeps the manifest.
type Store struct {
	db    *dynamodb.Client
	table string
}

// NewStore returns the store on the state table.
func NewStore(db *dynamodb.Client, table string) *Store { return &Store{db, table} }

// itemName is the name of the manifest's item, and requestName that of the newest
// request for a rebuild.
const (
	itemName    = "search_index"
	requestName = "search_rebuild"
)

type item struct {
	Name string `dynamodbav:"name"`
	Manifest
}

// ErrMoved reports that the manifest is no longer the one that was read.
var ErrMoved = errors.New("the manifest is no longer as it was read")

// Read reads the manifest, consistently. Version is 0 if there is none.
func (s *Store) Read(ctx context.Context) (Manifest, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: keyOf(itemName), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of the index: %w", err)
	}
	var row item
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		return Manifest{}, fmt.Errorf("decode the manifest of the index: %w", err)
	}
	return row.Manifest, nil
}

// Swap replaces the manifest that was read. It returns the new one, or [ErrMoved].
func (s *Store) Swap(ctx context.Context, read, next Manifest) (Manifest, error) {
	next.Version, next.By = read.Version+1, rand.Text()
	raw, err := attributevalue.MarshalMap(item{itemName, next})
	if err != nil {
		return read, fmt.Errorf("encode the manifest of the index: %w", err)
	}
	condition := expression.AttributeNotExists(expression.Name("name"))
	if read.Exists() {
		condition = expression.Name("version").Equal(expression.Value(read.Version))
	}
	expr, err := expression.NewBuilder().WithCondition(condition).Build()
	if err != nil {
		return read, fmt.Errorf("replace the manifest of the index: %w", err)
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: raw, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	switch {
	case err == nil:
		return next, nil
	case !dynamo.IsConditionFailed(err):
		return read, fmt.Errorf("replace the manifest of the index: %w", err)
	}
	// The response to an earlier try of the SDK may have been lost.
	if now, err := s.Read(ctx); err == nil && now.Version == next.Version && now.By == next.By {
		return next, nil
	}
	return read, ErrMoved
}

// RequestRebuild asks the next indexer to rebuild the index.
func (s *Store) RequestRebuild(ctx context.Context, at time.Time) error {
	raw := keyOf(requestName)
	raw["requested_at"] = &types.AttributeValueMemberN{Value: fmt.Sprint(at.UnixMicro())}
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: raw}); err != nil {
		return fmt.Errorf("request a rebuild of the index: %w", err)
	}
	return nil
}

// Requested returns the newest request for a rebuild (microseconds), 0 if none was
// ever made.
func (s *Store) Requested(ctx context.Context) (int64, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: keyOf(requestName), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return 0, fmt.Errorf("read the request to rebuild the index: %w", err)
	}
	var row struct {
		At int64 `dynamodbav:"requested_at"`
	}
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		return 0, fmt.Errorf("decode the request to rebuild the index: %w", err)
	}
	return row.At, nil
}

func keyOf(name string) dynamo.Item {
	return dynamo.Item{"name": &types.AttributeValueMemberS{Value: name}}
}
