package cloud

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// The services at the boundary, as [Call.Service] names them.
const (
	DynamoDB      = "dynamodb"
	SQS           = "sqs"
	StepFunctions = "states"
	GitLab        = "gitlab"
)

// Around intercepts a client's call to its service. It calls send to let the
// call through, or does not; the client gets the error that it returns.
type Around = func(ctx context.Context, call Call, send func() error) error

// Call is one operation on its way to a service.
type Call struct {
	// Service is one of the constants above.
	Service string
	// Operation is its name, such as TransactWriteItems; for GitLab the HTTP
	// method.
	Operation string
	// Input is the SDK's input, such as *dynamodb.TransactWriteItemsInput; for
	// GitLab the *http.Request.
	Input any

	*exchange
}

// exchange is what an interceptor may change of a call.
type exchange struct {
	input, output any
	land          func() error
}

// Replace makes send send another input of the same type.
func (c Call) Replace(input any) { c.input = input }

// Output is the response once send has returned: the SDK's output, or the
// *http.Response.
func (c Call) Output() any { return c.output }

// Answer replaces the response.
func (c Call) Answer(output any) { c.output = output }

// Land sends the call now, even if its caller is dead, and drops the response.
// It is for a write that arrives late.
func (c Call) Land() error { return c.land() }

// Writes reports whether the call changes anything.
func (c Call) Writes() bool {
	switch c.Operation {
	case "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
		"SendMessage", "ChangeMessageVisibility", "StartExecution":
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

// String names the call by operation and place, identically in every repetition
// of a run and on every engine: "UpdateItem sync_runs w2cs…", "GET
// …/issues/7/discussions".
func (c Call) String() string {
	switch in := c.Input.(type) {
	case *http.Request:
		return c.Operation + " " + in.URL.RequestURI()
	case *dynamodb.GetItemInput:
		return c.at(in.TableName, in.Key)
	case *dynamodb.PutItemInput:
		return c.at(in.TableName, nil)
	case *dynamodb.UpdateItemInput:
		return c.at(in.TableName, in.Key)
	case *dynamodb.DeleteItemInput:
		return c.at(in.TableName, in.Key)
	case *dynamodb.QueryInput:
		return c.at(in.TableName, in.ExpressionAttributeValues) + " " + aws.ToString(in.IndexName)
	case *dynamodb.ScanInput:
		return c.at(in.TableName, nil)
	case *dynamodb.BatchGetItemInput:
		var all []string // unordered: the first one names them
		for _, keys := range in.RequestItems {
			for _, key := range keys.Keys {
				all = append(all, texts(key))
			}
		}
		return c.Operation + slices.Min(all)
	case *awsapi.SendMessageInput:
		return c.Operation + " " + path.Base(in.QueueURL) + " " + in.GroupID
	case *awsapi.StartExecutionInput:
		return c.Operation + " " + in.Input
	}
	var names []string
	for _, table := range c.Tables() {
		names = append(names, logical(table))
	}
	slices.Sort(names)
	return c.Operation + " " + strings.Join(slices.Compact(names), " ")
}

func (c Call) at(table *string, values map[string]types.AttributeValue) string {
	return c.Operation + " " + logical(*table) + texts(values)
}

// texts returns the string values, in order.
func texts(values map[string]types.AttributeValue) string {
	var parts []string
	for _, value := range values {
		if s, ok := value.(*types.AttributeValueMemberS); ok {
			parts = append(parts, " "+s.Value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "")
}

// logical is a table's name without the prefix of an engine's test.
func logical(name string) string {
	for _, t := range tables.All() {
		if strings.HasSuffix(name, t.Name) {
			return t.Name
		}
	}
	return name
}
