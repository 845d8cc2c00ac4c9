package faults

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

// page holds the results that Query and Scan share.
type page struct {
	items []map[string]types.AttributeValue
	last  map[string]types.AttributeValue
}

// onePage sends the call with a limit of one item.
func onePage(call cloud.Call, send func() error) (page, error) {
	switch in := call.Input.(type) {
	case *dynamodb.QueryInput:
		cut := *in
		cut.Limit = aws.Int32(1)
		call.Replace(&cut)
	case *dynamodb.ScanInput:
		cut := *in
		cut.Limit = aws.Int32(1)
		call.Replace(&cut)
	default:
		return page{}, fmt.Errorf("faults: %s does not return pages", call.Operation)
	}
	if err := send(); err != nil {
		return page{}, err
	}
	switch out := call.Output().(type) {
	case *dynamodb.QueryOutput:
		return page{out.Items, out.LastEvaluatedKey}, nil
	case *dynamodb.ScanOutput:
		return page{out.Items, out.LastEvaluatedKey}, nil
	}
	return page{}, fmt.Errorf("faults: %T is not a page", call.Output())
}

// partialPage ends the page after one item.
func partialPage(call cloud.Call, send func() error) error {
	_, err := onePage(call, send)
	return err
}

// emptyPage returns no items and a start key just before the first item. If no
// key sorts before that item, the page contains it.
func emptyPage(call cloud.Call, send func() error) error {
	p, err := onePage(call, send)
	if err != nil || len(p.last) == 0 {
		return err
	}
	before, ok := justBefore(call, p.last)
	if !ok {
		return nil
	}
	switch out := call.Output().(type) {
	case *dynamodb.QueryOutput:
		call.Answer(&dynamodb.QueryOutput{LastEvaluatedKey: before, ResultMetadata: out.ResultMetadata})
	case *dynamodb.ScanOutput:
		call.Answer(&dynamodb.ScanOutput{LastEvaluatedKey: before, ResultMetadata: out.ResultMetadata})
	}
	return nil
}

// justBefore returns a key that sorts before this one and, in practice, after
// every stored key before it: a string without its last character, or a number
// less one.
func justBefore(call cloud.Call, key map[string]types.AttributeValue) (map[string]types.AttributeValue, bool) {
	sort, start := sortKey(call)
	before := maps.Clone(key)
	switch value := key[sort].(type) {
	case *types.AttributeValueMemberS:
		text := value.Value[:len(value.Value)-1]
		if from, ok := start[sort].(*types.AttributeValueMemberS); ok && text <= from.Value {
			return nil, false
		}
		if text == "" || beyondPrefix(call, text) {
			return nil, false
		}
		before[sort] = &types.AttributeValueMemberS{Value: text}
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(value.Value, 10, 64)
		if err != nil {
			return nil, false
		}
		if from, ok := start[sort].(*types.AttributeValueMemberN); ok {
			if first, err := strconv.ParseInt(from.Value, 10, 64); err != nil || n-1 <= first {
				return nil, false
			}
		}
		before[sort] = &types.AttributeValueMemberN{Value: strconv.FormatInt(n-1, 10)}
	default:
		return nil, false
	}
	return before, true
}

// beyondPrefix reports whether the text is too short to begin with the query's
// prefix, which is one of its values: DynamoDB rejects a start key outside of
// the query's bounds.
func beyondPrefix(call cloud.Call, text string) bool {
	in, ok := call.Input.(*dynamodb.QueryInput)
	if !ok {
		return false
	}
	for _, value := range in.ExpressionAttributeValues {
		prefix, ok := value.(*types.AttributeValueMemberS)
		if ok && text != prefix.Value && strings.HasPrefix(prefix.Value, text) {
			return true
		}
	}
	return false
}

// sortKey returns the name of the attribute that orders the call's results, and
// where the call starts.
func sortKey(call cloud.Call) (string, map[string]types.AttributeValue) {
	var table, index string
	var start map[string]types.AttributeValue
	switch in := call.Input.(type) {
	case *dynamodb.QueryInput:
		table, index, start = aws.ToString(in.TableName), aws.ToString(in.IndexName), in.ExclusiveStartKey
		if !aws.ToBool(in.ScanIndexForward) && in.ScanIndexForward != nil {
			return "", nil // what sorts before it is already read
		}
	case *dynamodb.ScanInput:
		table, start = aws.ToString(in.TableName), in.ExclusiveStartKey
	}
	for _, schema := range tables.All() {
		if !strings.HasSuffix(table, schema.Name) {
			continue // a test's table name may have a prefix
		}
		for _, i := range schema.Indexes {
			if i.Name == index {
				return i.Sort.Name, start
			}
		}
		if index == "" && schema.Sort != nil {
			return schema.Sort.Name, start
		}
	}
	return "", nil
}
