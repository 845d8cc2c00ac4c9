package cost

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Consumed sends a call to DynamoDB, and returns the units that the engine reports for
// it, those of indexes included. A call that failed consumed nothing.
func Consumed(call cloud.Call, send func() error) (writes, reads float64, err error) {
	ask(call)
	if err := send(); err != nil {
		return 0, 0, err
	}
	all, written := capacity(call.Output())
	if written {
		return units(all...), 0, nil
	}
	return 0, units(all...), nil
}

// ConsumedByTable is [Consumed] by the real names of the tables.
func ConsumedByTable(call cloud.Call, send func() error) (writes, reads map[string]float64, err error) {
	ask(call)
	if err := send(); err != nil {
		return nil, nil, err
	}
	all, written := capacity(call.Output())
	byTable := map[string]float64{}
	for _, c := range all {
		byTable[aws.ToString(c.TableName)] += aws.ToFloat64(c.CapacityUnits)
	}
	if written {
		return byTable, nil, nil
	}
	return nil, byTable, nil
}

// capacity is what a response says about the units that were consumed of each table, and
// whether they are write units.
func capacity(output any) (all []*types.ConsumedCapacity, written bool) {
	switch out := output.(type) {
	case *dynamodb.GetItemOutput:
		all = append(all, out.ConsumedCapacity)
	case *dynamodb.BatchGetItemOutput:
		all = pointers(out.ConsumedCapacity)
	case *dynamodb.QueryOutput:
		all = append(all, out.ConsumedCapacity)
	case *dynamodb.ScanOutput:
		all = append(all, out.ConsumedCapacity)
	case *dynamodb.PutItemOutput:
		all, written = append(all, out.ConsumedCapacity), true
	case *dynamodb.UpdateItemOutput:
		all, written = append(all, out.ConsumedCapacity), true
	case *dynamodb.DeleteItemOutput:
		all, written = append(all, out.ConsumedCapacity), true
	case *dynamodb.BatchWriteItemOutput:
		all, written = pointers(out.ConsumedCapacity), true
	case *dynamodb.TransactWriteItemsOutput:
		all, written = pointers(out.ConsumedCapacity), true
	}
	return slices.DeleteFunc(all, func(c *types.ConsumedCapacity) bool { return c == nil }), written
}

// ask makes the call return what it consumed.
func ask(call cloud.Call) {
	const total = types.ReturnConsumedCapacityTotal
	switch in := call.Input.(type) {
	case *dynamodb.GetItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.BatchGetItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.QueryInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.ScanInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.PutItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.UpdateItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.DeleteItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.BatchWriteItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.TransactWriteItemsInput:
		in.ReturnConsumedCapacity = total
	}
}

func pointers(all []types.ConsumedCapacity) []*types.ConsumedCapacity {
	some := make([]*types.ConsumedCapacity, len(all))
	for i := range all {
		some[i] = &all[i]
	}
	return some
}

func units(all ...*types.ConsumedCapacity) (n float64) {
	for _, c := range all {
		if c != nil {
			n += aws.ToFloat64(c.CapacityUnits)
		}
	}
	return n
}
