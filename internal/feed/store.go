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
	"gitlab.com/lorehook/lorehook/internal/surgical"
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

// key is the key of an entry, or with number 0 of the feed's counter.
func key(name Name, number int64) dynamo.Item {
	return dynamo.Item{
		"feed":   &types.AttributeValueMemberS{Value: string(name)},
		"number": &types.AttributeValueMemberN{Value: fmt.Sprint(number)},
	}
}

// counter reads the feed's counter, strongly consistent. One that does not exist yet is
// zero.
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

// End returns the position after all entries. What a reader reads afterwards of the copy
// itself, together with the entries from there on, leaves out no change.
func (s *Store) End(ctx context.Context, name Name) (Position, error) {
	now := s.clock()
	c, err := s.counter(ctx, name)
	return Position{Epoch: c.Epoch, Number: c.Last, At: now}, err
}

// Read returns up to limit entries after the position, at least one if there is any. The
// error is [surgical.CodeFeedRestarted] if that may leave out changes: the feed was
// restarted since, or the position is older than [surgical.FeedRetention]. Then read
// everything, from [Store.End] on.
//
// The counter is read first. The entries up to it are visible: their transactions are
// complete. Beyond it, a query might see one entry of a transaction and not the one
// before.
func (s *Store) Read(ctx context.Context, name Name, from Position, limit int) (Page, error) {
	now := s.clock()
	c, err := s.counter(ctx, name)
	switch {
	case err != nil:
		return Page{}, err
	case from.Epoch != c.Epoch || from.Number < 0 || from.Number > c.Last:
		return Page{}, restarted("the feed was restarted since: changes may have been lost")
	case now.Sub(from.At) > surgical.FeedRetention:
		return Page{}, restarted(fmt.Sprintf("the last read was at %s, and the feed keeps entries for %.0f days", from.At.UTC().Format(time.RFC3339), surgical.FeedRetention.Hours()/24))
	}
	last := min(c.Last, from.Number+int64(limit))
	page := Page{Next: Position{c.Epoch, from.Number, now}, More: last < c.Last}
	if last > from.Number {
		if page.Entries, err = s.entries(ctx, name, from.Number+1, last); err != nil {
			return Page{}, err
		}
		page.Next.Number = last
	}
	if page.More {
		page.Next.At = page.Entries[len(page.Entries)-1].At
	}
	return page, nil
}

func restarted(why string) error {
	return surgical.NewError(surgical.CodeFeedRestarted, why+". Begin again: ask without a place, then read everything, then go on from the place that you received first")
}

// entries reads the entries with the numbers from first to last.
func (s *Store) entries(ctx context.Context, name Name, first, last int64) ([]Entry, error) {
	expr, err := expression.NewBuilder().WithKeyCondition(expression.Key("feed").Equal(expression.Value(name)).
		And(expression.Key("number").Between(expression.Value(first), expression.Value(last)))).Build()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var entries []Entry
	for item, err := range dynamo.QueryAll(ctx, s.db, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: expr.KeyCondition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		entry, err := entryOf(item)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	if int64(len(entries)) != last-first+1 {
		return nil, fmt.Errorf("read %s: %d entries from %d to %d", name, len(entries), first, last)
	}
	return entries, nil
}

// perTransaction is how many entries fit a transaction beside the counter.
const perTransaction = 99

// append writes the entries after the last one, as many as fit a transaction, and returns
// how many. c is the counter as it was read; if it has changed, nothing is written and the
// error is [surgical.ErrMoved].
func (s *Store) append(ctx context.Context, name Name, c counter, entries []Entry) (int, error) {
	entries = entries[:min(len(entries), perTransaction)]
	now := s.clock()
	count, err := s.count(name, c, c.Last+int64(len(entries)), now)
	if err != nil {
		return 0, err
	}
	isNew, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("feed"))).Build()
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", name, err)
	}
	writes := []types.TransactWriteItem{count}
	for i, entry := range entries {
		entry.Number, entry.At = c.Last+int64(i)+1, now
		item, err := entry.item(name)
		if err != nil {
			return 0, err
		}
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.table, Item: item, ConditionExpression: isNew.Condition(), ExpressionAttributeNames: isNew.Names(),
		}})
	}
	return len(entries), s.transact(ctx, writes)
}

// count raises the counter under its old value.
func (s *Store) count(name Name, c counter, last int64, now time.Time) (types.TransactWriteItem, error) {
	update := expression.Set(expression.Name("last"), expression.Value(last))
	if name == Entities {
		update = update.Set(expression.Name("consumed_at"), expression.Value(dynamo.Micros(now)))
	}
	return s.change(name, asRead("last", c.Last), update)
}

// asRead holds while the attribute has the value; an absent one is 0.
func asRead(attribute string, value int64) expression.ConditionBuilder {
	if value == 0 {
		return expression.AttributeNotExists(expression.Name(attribute)).Or(expression.Name(attribute).Equal(expression.Value(0)))
	}
	return expression.Name(attribute).Equal(expression.Value(value))
}

func (s *Store) change(name Name, condition expression.ConditionBuilder, update expression.UpdateBuilder) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(condition).WithUpdate(update).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("change the counter of %s: %w", name, err)
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.table, Key: key(name, 0), ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

func (s *Store) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	err := dynamo.Transact(ctx, s.db, writes)
	if dynamo.Refusals(err) != nil {
		return surgical.ErrMoved
	}
	return err
}

// Restart raises the epoch of all feeds: every reader has to read everything once.
func (s *Store) Restart(ctx context.Context) error {
	if err := dynamo.Transact(ctx, s.db, Restarts(s.table)); err != nil {
		return fmt.Errorf("restart the feeds: %w", err)
	}
	return nil
}

// Restarts are the writes of [Store.Restart], for a transaction that hides something
// without a change of the content table.
func Restarts(table string) []types.TransactWriteItem {
	var writes []types.TransactWriteItem
	for _, name := range names() {
		writes = append(writes, types.TransactWriteItem{Update: &types.Update{
			TableName: &table, Key: key(name, 0), UpdateExpression: aws.String("ADD #epoch :one"),
			ExpressionAttributeNames: map[string]string{"#epoch": "epoch"}, ExpressionAttributeValues: dynamo.Item{":one": &types.AttributeValueMemberN{Value: "1"}},
		}})
	}
	return writes
}

// restartAfterGap restarts the feeds after the consumer was away, and records that it is
// back, unless another consumer did. c is the counter of [Entities] as it was read.
func (s *Store) restartAfterGap(ctx context.Context, c counter) error {
	var writes []types.TransactWriteItem
	for _, name := range names() {
		condition := expression.AttributeExists(expression.Name("feed")).Or(expression.AttributeNotExists(expression.Name("feed")))
		update := expression.Add(expression.Name("epoch"), expression.Value(1))
		if name == Entities {
			condition = asRead("consumed_at", c.ConsumedAt)
			update = update.Set(expression.Name("consumed_at"), expression.Value(dynamo.Micros(s.clock())))
		}
		write, err := s.change(name, condition, update)
		if err != nil {
			return err
		}
		writes = append(writes, write)
	}
	return s.transact(ctx, writes)
}

// consumed records that a batch was consumed that has no entry for [Entities].
func (s *Store) consumed(ctx context.Context) error {
	write, err := s.change(Entities, expression.AttributeNotExists(expression.Name("never")), expression.Set(expression.Name("consumed_at"), expression.Value(dynamo.Micros(s.clock()))))
	if err != nil {
		return err
	}
	return s.transact(ctx, []types.TransactWriteItem{write})
}
