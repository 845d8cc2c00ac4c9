package dynamodb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

const (
	maxTransactItems = 100
	maxTransactBytes = 4 << 20
)

// transactWriteItems makes all changes or none. Every condition and operand
// refers to the items as stored before.
func (db *DB) transactWriteItems(in *dynamodb.TransactWriteItemsInput) (*dynamodb.TransactWriteItemsOutput, error) {
	if n := len(in.TransactItems); n == 0 || n > maxTransactItems {
		return nil, invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100")
	}
	changes, err := db.transactChanges(in.TransactItems)
	if err != nil {
		return nil, err
	}
	reasons := make([]types.CancellationReason, len(changes))
	afters := make([]dynamo.Item, len(changes))
	cancelled := false
	for i, c := range changes {
		if afters[i], reasons[i], err = c.outcome(); err != nil {
			return nil, err
		}
		cancelled = cancelled || *reasons[i].Code != "None"
	}
	if cancelled {
		return nil, Cancelled(reasons)
	}
	units := map[string]float64{}
	for i, c := range changes {
		units[c.table.schema.Name] += c.units(afters[i], 2)
		c.apply(afters[i])
	}
	return &dynamodb.TransactWriteItemsOutput{ConsumedCapacity: consumedOf(in.ReturnConsumedCapacity, units)}, nil
}

// Cancelled returns the exception of a cancelled transaction, in DynamoDB's
// words.
func Cancelled(reasons []types.CancellationReason) error {
	codes := make([]string, len(reasons))
	for i, reason := range reasons {
		codes[i] = aws.ToString(reason.Code)
	}
	return &types.TransactionCanceledException{
		Message:             aws.String(fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))),
		CancellationReasons: reasons,
	}
}

// outcome evaluates the change within its transaction.
func (c *change) outcome() (dynamo.Item, types.CancellationReason, error) {
	ok, err := c.scope.holds(c.condition, c.before())
	if err != nil {
		return nil, types.CancellationReason{}, err
	}
	if !ok {
		return nil, types.CancellationReason{Code: aws.String("ConditionalCheckFailed"), Message: aws.String("The conditional request failed")}, nil
	}
	after, err := c.after()
	var api smithy.APIError
	if errors.As(err, &api) {
		return nil, types.CancellationReason{Code: aws.String("ValidationError"), Message: aws.String(api.ErrorMessage())}, nil
	}
	return after, types.CancellationReason{Code: aws.String("None")}, err
}

func (db *DB) transactChanges(items []types.TransactWriteItem) ([]*change, error) {
	changes := make([]*change, len(items))
	seen := map[string]bool{}
	bytes := 0
	for i, item := range items {
		w, err := transactWriting(item)
		if err != nil {
			return nil, err
		}
		if changes[i], err = db.prepare(w); err != nil {
			return nil, err
		}
		bytes += dynamo.ItemSize(w.item)
		id := fmt.Sprintf("%s %q", aws.ToString(w.table), changes[i].table.identity(changes[i].key))
		if seen[id] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[id] = true
	}
	if bytes > maxTransactBytes {
		return nil, invalid("Collection size of items to be transacted is larger than 4194304 bytes")
	}
	return changes, nil
}

func transactWriting(item types.TransactWriteItem) (writing, error) {
	var list []writing
	if p := item.Put; p != nil {
		list = append(list, writing{table: p.TableName, item: p.Item, condition: p.ConditionExpression, names: p.ExpressionAttributeNames, values: p.ExpressionAttributeValues})
	}
	if u := item.Update; u != nil {
		list = append(list, writing{table: u.TableName, key: u.Key, condition: u.ConditionExpression, update: u.UpdateExpression, names: u.ExpressionAttributeNames, values: u.ExpressionAttributeValues})
	}
	if d := item.Delete; d != nil {
		list = append(list, writing{table: d.TableName, key: d.Key, condition: d.ConditionExpression, remove: true, names: d.ExpressionAttributeNames, values: d.ExpressionAttributeValues})
	}
	if c := item.ConditionCheck; c != nil {
		list = append(list, writing{table: c.TableName, key: c.Key, condition: c.ConditionExpression, names: c.ExpressionAttributeNames, values: c.ExpressionAttributeValues})
	}
	if len(list) != 1 {
		return writing{}, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return list[0], nil
}
