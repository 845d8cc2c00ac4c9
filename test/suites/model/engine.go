package model

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client is an engine behind an SDK client.
type Client struct{ DynamoDB *dynamodb.Client }

// Do implements [Engine].
func (c Client) Do(input any) (any, error) {
	ctx := context.Background()
	switch in := input.(type) {
	case *dynamodb.GetItemInput:
		return c.DynamoDB.GetItem(ctx, in)
	case *dynamodb.BatchGetItemInput:
		return c.DynamoDB.BatchGetItem(ctx, in)
	case *dynamodb.QueryInput:
		return c.DynamoDB.Query(ctx, in)
	case *dynamodb.ScanInput:
		return c.DynamoDB.Scan(ctx, in)
	case *dynamodb.PutItemInput:
		return c.DynamoDB.PutItem(ctx, in)
	case *dynamodb.UpdateItemInput:
		return c.DynamoDB.UpdateItem(ctx, in)
	case *dynamodb.DeleteItemInput:
		return c.DynamoDB.DeleteItem(ctx, in)
	case *dynamodb.BatchWriteItemInput:
		return c.DynamoDB.BatchWriteItem(ctx, in)
	case *dynamodb.TransactWriteItemsInput:
		return c.DynamoDB.TransactWriteItems(ctx, in)
	}
	return nil, fmt.Errorf("model: %T is not supported", input)
}

// Outside is an engine for network calls from within a bubble. A goroutine that
// waits for the network is not durably blocked, so the bubble's time would not
// advance. A goroutine outside of the bubble therefore makes the calls.
type Outside struct {
	inputs  chan any
	outputs chan outside
}

type outside struct {
	output any
	err    error
}

// NewOutside returns an engine that forwards calls to another. It must be
// created outside of the bubble, and closed at the end.
func NewOutside(engine Engine) *Outside {
	o := &Outside{inputs: make(chan any), outputs: make(chan outside)}
	go func() {
		for input := range o.inputs {
			output, err := engine.Do(input)
			o.outputs <- outside{output, err}
		}
	}()
	return o
}

// Do implements [Engine]. The scheduler releases one call at a time.
func (o *Outside) Do(input any) (any, error) {
	o.inputs <- input
	answer := <-o.outputs
	return answer.output, answer.err
}

// Close ends the goroutine.
func (o *Outside) Close() { close(o.inputs) }
