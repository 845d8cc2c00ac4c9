package main

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// expiries adds up what DynamoDB reports for expiring superseded items of the
// content table. A run's counter covers only its commit; the limit covers both.
type expiries struct {
	table string

	mu       sync.Mutex
	consumed float64
}

// watch asks DynamoDB for the consumed capacity of a single update and adds it.
func (e *expiries) watch(call cloud.Call, send func() error) error {
	in, ok := call.Input.(*dynamodb.UpdateItemInput)
	if !ok || aws.ToString(in.TableName) != e.table {
		return send()
	}
	asking := *in
	asking.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	call.Replace(&asking)
	if err := send(); err != nil {
		return err
	}
	if out, ok := call.Output().(*dynamodb.UpdateItemOutput); ok && out.ConsumedCapacity != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.consumed += aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	return nil
}

func (e *expiries) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.consumed = 0
}

func (e *expiries) units() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.consumed
}
