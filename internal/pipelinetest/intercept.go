package pipelinetest

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// Call is one operation on its way to DynamoDB.
type Call struct {
	// Operation is its name, such as TransactWriteItems.
	Operation string
	// Input is the SDK's input, such as *dynamodb.TransactWriteItemsInput.
	Input any
}

// Writes reports whether the call changes a table.
func (c Call) Writes() bool {
	switch c.Operation {
	case "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems":
		return true
	}
	return false
}

// Tables names the tables that the call writes to, with repetitions.
func (c Call) Tables() []string {
	var tables []string
	switch in := c.Input.(type) {
	case *dynamodb.PutItemInput:
		tables = append(tables, *in.TableName)
	case *dynamodb.UpdateItemInput:
		tables = append(tables, *in.TableName)
	case *dynamodb.DeleteItemInput:
		tables = append(tables, *in.TableName)
	case *dynamodb.BatchWriteItemInput:
		for table := range in.RequestItems {
			tables = append(tables, table)
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, item := range in.TransactItems {
			switch {
			case item.Put != nil:
				tables = append(tables, *item.Put.TableName)
			case item.Update != nil:
				tables = append(tables, *item.Update.TableName)
			case item.Delete != nil:
				tables = append(tables, *item.Delete.TableName)
			}
		}
	}
	return tables
}

// Intercept returns a client whose every call goes through around, which may
// fail it before or after it is applied (send), or hold it.
func Intercept(client *dynamodb.Client, around func(ctx context.Context, call Call, send func() error) error) *dynamodb.Client {
	return dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Intercept",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
					call := Call{Operation: middleware.GetOperationName(ctx), Input: in.Parameters}
					err = around(ctx, call, func() error {
						out, meta, err = next.HandleInitialize(ctx, in)
						return err
					})
					return out, meta, err
				}), middleware.Before)
		})
	})
}
