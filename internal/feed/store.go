package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// Store reads and writes the feed table.
type Store struct {
	db    *dynamodb.Client
	table string
	clock func() time.Time
}

// NewStore returns a store on the table.
func NewStore(db *dynamodb.Client, table string, clock func() time.Time) *Store {
	return &Store{db: db, table: table, clock: clock}
}

// key is the key of a block, or with number 0 of the feed's counter.
func key(name Name, number int64) dynamo.Item {
	return dynamo.Item{
		"feed":   &types.AttributeValueMemberS{Value: string(name)},
		"number": &types.AttributeValueMemberN{Value: fmt.Sprint(number)},
	}
}

// counter is the item of a feed under number 0. One that does not exist yet is zero.
type counter struct {
	Epoch int64 `dynamodbav:"epoch"`
	// Last is a number that was that of the last block. There may be later ones: it is
	// raised only every [surgical.FeedConsumedInterval], long before they expire, so that
	// their numbers are not given again.
	Last int64 `dynamodbav:"last"`
	// ConsumedAt is a time at which a batch of the stream was consumed, in Unix
	// microseconds. Only [Entities] has it.
	ConsumedAt int64 `dynamodbav:"consumed_at"`
}

// counter reads the feed's counter, strongly consistent.
func (s *Store) counter(ctx context.Context, name Name) (counter, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key(name, 0), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return counter{}, fmt.Errorf("read the counter of %s: %w", name, err)
	}
	var c counter
	if err := attributevalue.UnmarshalMap(out.Item, &c); err != nil {
		return counter{}, fmt.Errorf("decode the counter of %s: %w", name, err)
	}
	return c, nil
}

// counters are those of all feeds.
type counters map[Name]counter

func (s *Store) counters(ctx context.Context) (counters, error) {
	all := counters{}
	for _, name := range names() {
		c, err := s.counter(ctx, name)
		if err != nil {
			return nil, err
		}
		all[name] = c
	}
	return all, nil
}

// last returns the number of the last block, or of the one that the counter names if
// those after it do not exist. Whatever was written before is counted.
func (s *Store) last(ctx context.Context, name Name, c counter) (int64, error) {
	query, err := s.query(name, expression.Key("number").GreaterThan(expression.Value(c.Last)))
	if err != nil {
		return 0, err
	}
	query.ScanIndexForward, query.Limit = aws.Bool(false), aws.Int32(1)
	out, err := s.db.Query(ctx, query)
	if err != nil {
		return 0, fmt.Errorf("look for the last block of %s: %w", name, err)
	}
	if len(out.Items) == 0 {
		return c.Last, nil
	}
	var found struct {
		Number int64 `dynamodbav:"number"`
	}
	if err := attributevalue.UnmarshalMap(out.Items[0], &found); err != nil {
		return 0, fmt.Errorf("decode the last block of %s: %w", name, err)
	}
	return found.Number, nil
}

// query is a strongly consistent query for items of a feed.
func (s *Store) query(name Name, numbers expression.KeyConditionBuilder) (*dynamodb.QueryInput, error) {
	expr, err := expression.NewBuilder().WithKeyCondition(expression.Key("feed").Equal(expression.Value(name)).And(numbers)).Build()
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", name, err)
	}
	return &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: expr.KeyCondition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}, nil
}
