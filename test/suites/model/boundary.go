package model

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Engine applies one call to DynamoDB: in memory, or over the network from
// outside of the bubble.
type Engine interface {
	Do(input any) (output any, err error)
}

// client returns an SDK client whose every call stops at the scheduler and is
// then applied by the engine. A call outside of a process is applied
// immediately.
func (w *world) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("model",
				func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
					out.Result, err = w.dynamo(ctx, in.Parameters)
					return out, meta, err
				}), middleware.Before)
		}},
	})
}

func (w *world) dynamo(ctx context.Context, input any) (any, error) {
	if processOf(ctx) == nil {
		return w.engine.Do(input)
	}
	touched, write := touches(input)
	c := &call{
		what:  fmt.Sprintf("%s %s", strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", input), "*dynamodb."), "Input"), strings.Join(touched, " ")),
		write: write, input: input,
		land: func() { _, _ = w.engine.Do(input) }, // the caller is gone, so an error is dropped
	}
	f, err := w.park(ctx, c)
	if err != nil {
		return nil, err
	}
	switch f {
	case failsBefore:
		return nil, unwell(&types.InternalServerError{Message: aws.String("the service is not well")})
	case throttled:
		return nil, &types.ProvisionedThroughputExceededException{Message: aws.String("slow down")}
	case conflicts:
		return nil, conflictOf(input)
	}
	output, err := w.engine.Do(input)
	if f == failsAfter && err == nil {
		return nil, &smithy.OperationError{ServiceID: "DynamoDB", Err: errors.New("connection reset by peer")}
	}
	return output, err
}

// unwell is the SDK's error once its attempts are used up.
func unwell(err error) error {
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusInternalServerError}}, Err: err}
}

// conflictOf is DynamoDB's error for a write that conflicts with a transaction.
func conflictOf(input any) error {
	in, ok := input.(*dynamodb.TransactWriteItemsInput)
	if !ok {
		return &types.TransactionConflictException{Message: aws.String("Transaction is ongoing for the item")}
	}
	cancelled := &types.TransactionCanceledException{Message: aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons")}
	for i := range in.TransactItems {
		code := "None"
		if i == 0 {
			code = "TransactionConflict"
		}
		cancelled.CancellationReasons = append(cancelled.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
	}
	return cancelled
}

// item identifies one item of a call.
type touchedItem struct {
	table  string
	key    dynamo.Item
	delete bool
}

// touches returns the items that a call reads or writes, and whether it changes
// anything.
func touches(input any) (names []string, write bool) {
	items, write := itemsOf(input)
	for _, item := range items {
		names = append(names, item.table+"/"+keyString(item.key))
	}
	slices.Sort(names)
	switch in := input.(type) {
	case *dynamodb.QueryInput:
		names = append(names, aws.ToString(in.TableName), aws.ToString(in.IndexName), keyString(in.ExpressionAttributeValues), keyString(in.ExclusiveStartKey))
	case *dynamodb.ScanInput:
		names = append(names, aws.ToString(in.TableName), keyString(in.ExclusiveStartKey))
	}
	return names, write
}

func itemsOf(input any) (items []touchedItem, write bool) {
	add := func(table *string, key dynamo.Item) {
		items = append(items, touchedItem{table: aws.ToString(table), key: key})
	}
	switch in := input.(type) {
	case *dynamodb.GetItemInput:
		add(in.TableName, in.Key)
	case *dynamodb.BatchGetItemInput:
		for table, keys := range in.RequestItems {
			for _, key := range keys.Keys {
				add(&table, key)
			}
		}
	case *dynamodb.PutItemInput:
		add(in.TableName, in.Item)
		write = true
	case *dynamodb.UpdateItemInput:
		add(in.TableName, in.Key)
		write = true
	case *dynamodb.DeleteItemInput:
		items, write = append(items, touchedItem{aws.ToString(in.TableName), in.Key, true}), true
	case *dynamodb.BatchWriteItemInput:
		write = true
		for table, requests := range in.RequestItems {
			for _, r := range requests {
				add(&table, r.PutRequest.Item)
			}
		}
	case *dynamodb.TransactWriteItemsInput:
		write = true
		for _, item := range in.TransactItems {
			switch {
			case item.Put != nil:
				add(item.Put.TableName, item.Put.Item)
			case item.Update != nil:
				add(item.Update.TableName, item.Update.Key)
			case item.Delete != nil:
				items = append(items, touchedItem{aws.ToString(item.Delete.TableName), item.Delete.Key, true})
			case item.ConditionCheck != nil:
				add(item.ConditionCheck.TableName, item.ConditionCheck.Key)
			}
		}
	}
	return items, write
}

// keyString formats the item's key attributes in a fixed order.
func keyString(item dynamo.Item) string {
	var parts []string
	for _, name := range []string{"pk", "sk", "run_id", "target", "entity", "dirty_id", "scope_run_id", "job_id", "item", "name", ":0", ":1"} {
		switch v := item[name].(type) {
		case *types.AttributeValueMemberS:
			parts = append(parts, v.Value)
		case *types.AttributeValueMemberN:
			parts = append(parts, v.Value)
		}
	}
	return strings.Join(parts, "/")
}

// roundTripper is the GitLab that a process sees.
type roundTripper struct{ w *world }

// RoundTrip implements [http.RoundTripper].
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	c := &call{what: "GET " + r.URL.RequestURI()}
	f, err := t.w.park(r.Context(), c)
	if err != nil {
		return nil, err
	}
	record, _ := r.Context().Value(fetchKey{}).(*fetch)
	if record != nil && record.first.IsZero() {
		record.first, record.lags = time.Now(), c.lags
	}
	return t.w.truth.answer(r, f, c.lag, record)
}

// service is the boundary of SQS and Step Functions.
func (w *world) service(ctx context.Context, in cloud.Call, send func() error) error {
	if processOf(ctx) == nil {
		return send()
	}
	c := &call{what: nameOf(in), write: true, land: func() { _ = in.Land() }} // the caller is gone, so an error is dropped
	f, err := w.park(ctx, c)
	switch {
	case err != nil:
		return err
	case f == failsBefore || f == throttled || f == conflicts:
		return unwell(errors.New("the service is not well"))
	}
	err = send()
	if f == failsAfter && err == nil {
		return errors.New("connection reset by peer")
	}
	return err
}

// nameOf names the call, identically each time the sequence runs.
func nameOf(in cloud.Call) string {
	switch input := in.Input.(type) {
	case *awsapi.SendMessageInput:
		return in.String() + " " + requestOf(input.Body).RunID
	case *awsapi.ChangeMessageVisibilityInput:
		return in.String() + input.ReceiptHandle
	}
	return in.String()
}
