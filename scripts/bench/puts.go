package main

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// puts adds up the write units of the items put into a table, whatever puts them.
type puts struct {
	table string

	mu  sync.Mutex // guards sum
	sum int
}

// count adds the puts of one call of the SDK.
func (p *puts) count(input any) {
	units := 0
	switch in := input.(type) {
	case *dynamodb.BatchWriteItemInput:
		for _, write := range in.RequestItems[p.table] {
			units += dynamo.WriteUnits(dynamo.ItemSize(write.PutRequest.Item))
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, item := range in.TransactItems {
			if item.Put != nil && *item.Put.TableName == p.table {
				units += 2 * dynamo.WriteUnits(dynamo.ItemSize(item.Put.Item))
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum += units
}

func (p *puts) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum = 0
}

func (p *puts) units() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return float64(p.sum)
}
