package faults

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// batchSize returns the number of items in a batch. DynamoDB processes at least
// one of them, or rejects the whole batch.
func batchSize(call cloud.Call) int {
	n := 0
	switch in := call.Input.(type) {
	case *dynamodb.BatchWriteItemInput:
		for _, requests := range in.RequestItems {
			n += len(requests)
		}
	case *dynamodb.BatchGetItemInput:
		for _, keys := range in.RequestItems {
			n += len(keys.Keys)
		}
	}
	return n
}

// unprocessedItems writes the second half of each table's requests.
func unprocessedItems(call cloud.Call, send func() error) error {
	in, ok := call.Input.(*dynamodb.BatchWriteItemInput)
	if !ok {
		return fmt.Errorf("faults: %s does not write a batch", call.Operation)
	}
	cut, left := *in, map[string][]types.WriteRequest{}
	cut.RequestItems = maps.Clone(in.RequestItems)
	for table, requests := range in.RequestItems {
		n := len(requests) / 2
		cut.RequestItems[table] = requests[n:]
		if n > 0 {
			left[table] = slices.Clone(requests[:n])
		}
	}
	call.Replace(&cut)
	if err := send(); err != nil {
		return err
	}
	out := *call.Output().(*dynamodb.BatchWriteItemOutput)
	out.UnprocessedItems = left
	call.Answer(&out)
	return nil
}

// unprocessedKeys reads the second half of each table's keys.
func unprocessedKeys(call cloud.Call, send func() error) error {
	in, ok := call.Input.(*dynamodb.BatchGetItemInput)
	if !ok {
		return fmt.Errorf("faults: %s does not read a batch", call.Operation)
	}
	cut, left := *in, map[string]types.KeysAndAttributes{}
	cut.RequestItems = maps.Clone(in.RequestItems)
	for table, keys := range in.RequestItems {
		n := len(keys.Keys) / 2
		now, later := keys, keys
		now.Keys, later.Keys = keys.Keys[n:], keys.Keys[:n]
		cut.RequestItems[table] = now
		if n > 0 {
			left[table] = later
		}
	}
	call.Replace(&cut)
	if err := send(); err != nil {
		return err
	}
	out := *call.Output().(*dynamodb.BatchGetItemOutput)
	out.UnprocessedKeys = left
	call.Answer(&out)
	return nil
}
