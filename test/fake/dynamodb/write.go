package dynamodb

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

const (
	maxBatchWrites     = 25
	maxBatchWriteBytes = 16 << 20
)

// change is one validated write: its condition and its effect.
type change struct {
	table     *table
	key       dynamo.Item
	scope     *scope
	condition *node
	// one of these; none of them is a mere check
	item   dynamo.Item
	update *update
	remove bool
}

// before returns the current item, or an empty one.
func (c *change) before() dynamo.Item { return c.table.get(c.key) }

// after returns the item after the change; nil if the change deletes it.
func (c *change) after() (dynamo.Item, error) {
	switch {
	case c.remove:
		return nil, nil
	case c.item != nil:
		return copyItem(c.item), nil
	case c.update == nil:
		return c.before(), nil
	}
	before := c.before()
	if before == nil {
		before = copyItem(c.table.primaryKey(c.key))
	}
	after, err := c.scope.apply(c.update, before)
	if err != nil {
		return nil, err
	}
	if dynamo.ItemSize(after) > maxItemBytes {
		return nil, invalid("Item size to update has exceeded the maximum allowed size")
	}
	return after, c.table.checkIndexKeys(after)
}

func (c *change) apply(after dynamo.Item) {
	switch {
	case after == nil:
		c.table.delete(c.key)
	case c.item != nil || c.update != nil:
		c.table.put(after)
	}
}

// writing holds the fields that the inputs of all writes share.
type writing struct {
	table             *string
	key, item         dynamo.Item
	condition, update *string
	names             map[string]string
	values            map[string]types.AttributeValue
	remove            bool
}

// prepare checks everything that does not depend on what is stored.
func (db *DB) prepare(w writing) (*change, error) {
	t, err := db.table(w.table)
	if err != nil {
		return nil, err
	}
	c := &change{table: t, key: w.key, item: w.item, remove: w.remove}
	if w.item != nil {
		if err := checkPut(t, w.item); err != nil {
			return nil, err
		}
		c.key = w.item
	} else if err := t.checkKey(w.key); err != nil {
		return nil, err
	}
	if c.scope, err = newScope(w.names, w.values); err != nil {
		return nil, err
	}
	if c.condition, err = db.condition(c.scope, w.condition); err != nil {
		return nil, err
	}
	if w.update != nil {
		if c.update, err = db.parsed.update(*w.update); err != nil {
			return nil, err
		}
		if err := c.scope.checkUpdate(t, c.update); err != nil {
			return nil, err
		}
	}
	return c, c.scope.unused()
}

func checkPut(t *table, item dynamo.Item) error {
	for _, check := range []func() error{
		func() error { return checkItem(item) },
		func() error { return t.checkKeyOf(item) },
		func() error { return t.checkIndexKeys(item) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	if dynamo.ItemSize(item) > maxItemBytes {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// write makes a single change, and returns the units that it consumes.
func (db *DB) write(w writing) (before, after dynamo.Item, units float64, err error) {
	c, err := db.prepare(w)
	if err != nil {
		return nil, nil, 0, err
	}
	ok, err := c.scope.holds(c.condition, c.before())
	if err != nil {
		return nil, nil, 0, err
	}
	if !ok {
		return nil, nil, 0, &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}
	}
	before = c.before()
	if after, err = c.after(); err != nil {
		return nil, nil, 0, err
	}
	units = c.units(after, 1)
	c.apply(after)
	return before, after, units, nil
}

// returned chooses the attributes that a write returns.
func returned(values types.ReturnValue, before, after dynamo.Item) (dynamo.Item, error) {
	switch values {
	case "", types.ReturnValueNone:
		return nil, nil
	case types.ReturnValueAllOld:
		return copyItem(before), nil
	case types.ReturnValueAllNew:
		return copyItem(after), nil
	}
	return nil, unsupported("ReturnValues " + string(values))
}

func (db *DB) putItem(in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
	if in.ReturnValues == types.ReturnValueAllNew {
		return nil, invalid("Return values set to invalid value")
	}
	before, after, units, err := db.write(writing{
		table: in.TableName, item: in.Item, condition: in.ConditionExpression,
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	})
	if err != nil {
		return nil, err
	}
	attributes, err := returned(in.ReturnValues, before, after)
	return &dynamodb.PutItemOutput{Attributes: attributes, ConsumedCapacity: consumed(in.ReturnConsumedCapacity, in.TableName, units)}, err
}

func (db *DB) updateItem(in *dynamodb.UpdateItemInput) (*dynamodb.UpdateItemOutput, error) {
	if in.AttributeUpdates != nil || in.UpdateExpression == nil {
		return nil, unsupported("UpdateItem without an update expression")
	}
	before, after, units, err := db.write(writing{
		table: in.TableName, key: in.Key, condition: in.ConditionExpression, update: in.UpdateExpression,
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	})
	if err != nil {
		return nil, err
	}
	attributes, err := returned(in.ReturnValues, before, after)
	return &dynamodb.UpdateItemOutput{Attributes: attributes, ConsumedCapacity: consumed(in.ReturnConsumedCapacity, in.TableName, units)}, err
}

func (db *DB) deleteItem(in *dynamodb.DeleteItemInput) (*dynamodb.DeleteItemOutput, error) {
	before, _, units, err := db.write(writing{
		table: in.TableName, key: in.Key, condition: in.ConditionExpression, remove: true,
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	})
	if err != nil {
		return nil, err
	}
	attributes, err := returned(in.ReturnValues, before, nil)
	return &dynamodb.DeleteItemOutput{Attributes: attributes, ConsumedCapacity: consumed(in.ReturnConsumedCapacity, in.TableName, units)}, err
}

func (db *DB) batchWriteItem(in *dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error) {
	var changes []*change
	bytes := 0
	for _, name := range sorted(in.RequestItems) {
		seen := map[[2]string]bool{}
		for _, request := range in.RequestItems[name] {
			w := writing{table: &name}
			switch {
			case request.PutRequest != nil:
				w.item = request.PutRequest.Item
			case request.DeleteRequest != nil:
				w.key, w.remove = request.DeleteRequest.Key, true
			default:
				return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			c, err := db.prepare(w)
			if err != nil {
				return nil, err
			}
			bytes += dynamo.ItemSize(w.item)
			if seen[c.table.identity(c.key)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[c.table.identity(c.key)] = true
			changes = append(changes, c)
		}
	}
	if len(changes) == 0 || len(changes) > maxBatchWrites || bytes > maxBatchWriteBytes {
		return nil, invalid("Too many, too large or no items requested for the BatchWriteItem call")
	}
	units := map[string]float64{}
	for _, c := range changes {
		after, err := c.after()
		if err != nil {
			return nil, err
		}
		units[c.table.schema.Name] += c.units(after, 1)
		c.apply(after)
	}
	return &dynamodb.BatchWriteItemOutput{
		UnprocessedItems: map[string][]types.WriteRequest{}, ConsumedCapacity: consumedOf(in.ReturnConsumedCapacity, units),
	}, nil
}
