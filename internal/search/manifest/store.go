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
)

// Store keeps the manifest and the batches.
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
	var row item
	err := s.read(ctx, itemName, &row)
	return row.Manifest, err
}

// Swap replaces the manifest that was read. It returns the new one, or [ErrMoved].
func (s *Store) Swap(ctx context.Context, read, next Manifest) (Manifest, error) {
	next.Version, next.By = read.Version+1, rand.Text()
	condition := absent()
	if read.Exists() {
		condition = expression.Name("version").Equal(expression.Value(read.Version))
	}
	replaced, err := s.putIf(ctx, item{itemName, next}, condition)
	switch {
	case err != nil:
		return read, fmt.Errorf("replace the manifest of the index: %w", err)
	case replaced:
		return next, nil
	}
	// The response to an earlier try of the SDK may have been lost.
	if now, err := s.Read(ctx); err == nil && now.Version == next.Version && now.By == next.By {
		return next, nil
	}
	return read, ErrMoved
}

// absent is the condition that the item does not exist.
func absent() expression.ConditionBuilder {
	return expression.AttributeNotExists(expression.Name("name"))
}

// putIf writes an item of the table, and reports whether its condition held.
func (s *Store) putIf(ctx context.Context, row any, condition expression.ConditionBuilder) (held bool, err error) {
	raw, err := attributevalue.MarshalMap(row)
	if err != nil {
		return false, fmt.Errorf("encode: %w", err)
	}
	expr, err := expression.NewBuilder().WithCondition(condition).Build()
	if err != nil {
		return false, fmt.Errorf("build the condition: %w", err)
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: raw, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if dynamo.IsConditionFailed(err) {
		return false, nil
	}
	return err == nil, err
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
	var row request
	err := s.read(ctx, requestName, &row)
	return row.At, err
}

type request struct {
	At int64 `dynamodbav:"requested_at"`
}

// read reads an item of the table, consistently. Without one, row stays as it is.
func (s *Store) read(ctx context.Context, name string, row any) error {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: keyOf(name), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return decode(out.Item, name, row)
}

func decode(raw dynamo.Item, name string, row any) error {
	if err := attributevalue.UnmarshalMap(raw, row); err != nil {
		return fmt.Errorf("decode %s: %w", name, err)
	}
	return nil
}

// ReadAll returns what [Store.Read] and [Store.Requested] return, in one round trip.
func (s *Store) ReadAll(ctx context.Context) (Manifest, int64, error) {
	rows, err := dynamo.GetTogether(ctx, s.db, dynamo.Lookup{Table: s.table, Key: keyOf(itemName)}, dynamo.Lookup{Table: s.table, Key: keyOf(requestName)})
	if err != nil {
		return Manifest{}, 0, fmt.Errorf("read %s and %s: %w", itemName, requestName, err)
	}
	var m item
	var r request
	err = errors.Join(decode(rows[0], itemName, &m), decode(rows[1], requestName, &r))
	return m.Manifest, r.At, err
}

func keyOf(name string) dynamo.Item {
	return dynamo.Item{"name": &types.AttributeValueMemberS{Value: name}}
}
