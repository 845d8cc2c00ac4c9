package main

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// consumed adds up the capacity units that DynamoDB reports, of all tables and indexes.
type consumed struct {
	mu            sync.Mutex
	reads, writes float64
}

func (c *consumed) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads, c.writes = 0, 0
}

// watch sends the call, and adds what it consumed.
func (c *consumed) watch(call cloud.Call, send func() error) error {
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
	err := send()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch out := call.Output().(type) {
	case *dynamodb.GetItemOutput:
		c.reads += units(out.ConsumedCapacity)
	case *dynamodb.BatchGetItemOutput:
		c.reads += units(pointers(out.ConsumedCapacity)...)
	case *dynamodb.QueryOutput:
		c.reads += units(out.ConsumedCapacity)
	case *dynamodb.ScanOutput:
		c.reads += units(out.ConsumedCapacity)
	case *dynamodb.PutItemOutput:
		c.writes += units(out.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		c.writes += units(out.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		c.writes += units(out.ConsumedCapacity)
	case *dynamodb.BatchWriteItemOutput:
		c.writes += units(pointers(out.ConsumedCapacity)...)
	case *dynamodb.TransactWriteItemsOutput:
		c.writes += units(pointers(out.ConsumedCapacity)...)
	}
	return nil
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
