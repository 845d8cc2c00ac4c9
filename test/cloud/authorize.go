package cloud

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/infra/access"
	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

// roles are those of the stack.
var roles = sync.OnceValue(access.Functions)

// authorize refuses what the function's role does not allow, as IAM does, and
// fails the test: on AWS the call would fail for as long as the role stays as it
// is.
func (c *Cloud) authorize(function string, call Call) error {
	role := roles()[function]
	for _, need := range needs(call) {
		if !role.Allows(need.action, need.resource) {
			if _, reported := c.denied.LoadOrStore(function+need.action+need.resource, true); !reported {
				c.T.Errorf("the role of %s does not allow %s on %s (infra/access)", function, need.action, need.resource)
			}
			return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: fmt.Sprintf("%s is not authorized to perform: %s on resource: %s", function, need.action, need.resource)}
		}
	}
	return nil
}

// need is one permission that a call takes.
type need struct{ action, resource string }

// Uses reports whether the call reads, checks or writes the table or one of its
// indexes.
func (c Call) Uses(table string) bool {
	return c.Service == DynamoDB && slices.ContainsFunc(needs(c), func(n need) bool {
		return n.resource == table || strings.HasPrefix(n.resource, table+"/")
	})
}

// needs are the permissions that the call takes. GitLab asks for none.
func needs(call Call) (all []need) {
	on := func(table *string) {
		all = append(all, need{"dynamodb:" + call.Operation, logical(*table)})
	}
	switch in := call.Input.(type) {
	case *dynamodb.GetItemInput:
		on(in.TableName)
	case *dynamodb.PutItemInput:
		on(in.TableName)
	case *dynamodb.UpdateItemInput:
		on(in.TableName)
	case *dynamodb.DeleteItemInput:
		on(in.TableName)
	case *dynamodb.ScanInput:
		on(in.TableName)
	case *dynamodb.QueryInput:
		if in.IndexName != nil {
			return []need{{access.Query, access.Index(logical(*in.TableName), *in.IndexName)}}
		}
		on(in.TableName)
	case *dynamodb.BatchGetItemInput:
		for table := range in.RequestItems {
			on(&table)
		}
	case *dynamodb.BatchWriteItemInput:
		for table := range in.RequestItems {
			on(&table)
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, item := range in.TransactItems {
			all = append(all, needOf(item))
		}
	case *awsapi.SendMessageInput:
		all = append(all, need{access.Send, path.Base(in.QueueURL)})
	case *awsapi.ChangeMessageVisibilityInput:
		all = append(all, need{"sqs:ChangeMessageVisibility", path.Base(in.QueueURL)})
	case *awsapi.GetQueueAttributesInput:
		all = append(all, need{"sqs:GetQueueAttributes", path.Base(in.QueueURL)})
	case *awsapi.StartExecutionInput:
		all = append(all, need{access.Start, access.Workflow})
	default:
		if call.Service != GitLab {
			all = append(all, need{call.Service + ":" + call.Operation, "a resource that is not known"})
		}
	}
	return all
}

// needOf is the permission that one part of a transaction takes.
func needOf(item types.TransactWriteItem) need {
	switch {
	case item.Put != nil:
		return need{"dynamodb:PutItem", logical(*item.Put.TableName)}
	case item.Update != nil:
		return need{"dynamodb:UpdateItem", logical(*item.Update.TableName)}
	case item.Delete != nil:
		return need{"dynamodb:DeleteItem", logical(*item.Delete.TableName)}
	}
	return need{"dynamodb:ConditionCheckItem", logical(*item.ConditionCheck.TableName)}
}
