package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

const requestID = "INJECTED0000000000000000000000000000000000000000"

// refusal returns the error of a rejected request, as the SDK returns it when
// its retries are used up.
func (k Kind) refusal(call cloud.Call) error {
	r := k.refused(call)
	err := error(&awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{
				StatusCode: r.status, Status: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)),
				Header: http.Header{"X-Amzn-Requestid": {requestID}}, Body: http.NoBody,
			}},
			Err: r.cause,
		},
		RequestID: requestID,
	})
	if r.retried {
		err = usedUp(call, err)
	}
	return err
}

// usedUp wraps an error as the SDK does after its last attempt.
func usedUp(call cloud.Call, err error) error {
	return &retry.MaxAttemptsError{Attempt: attempts(call.Service), Err: err}
}

// attempts is how many times a request to the service is sent at most.
func attempts(service string) int {
	if service == cloud.DynamoDB {
		return surgical.DynamoDBAttempts
	}
	return surgical.AWSAttempts
}

// refused describes one of the service's errors: its HTTP status and whether
// the SDK retries it.
type refused struct {
	cause   error
	status  int
	retried bool
}

func (k Kind) refused(call cloud.Call) refused {
	dynamo := call.Service == cloud.DynamoDB
	switch k {
	case ThroughputExceeded:
		return refused{&types.ProvisionedThroughputExceededException{Message: aws.String("The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.")}, 400, true}
	case Throttled:
		if call.Service == cloud.SQS {
			return refused{&smithy.GenericAPIError{Code: "RequestThrottled", Message: "Request is throttled."}, 400, true}
		}
		if dynamo {
			return refused{&types.ThrottlingException{Message: aws.String("Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so please try again shortly.")}, 400, true}
		}
		return refused{&smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}, 400, true}
	case TransactionConflict:
		return refused{cancelled(call, "TransactionConflict", "Transaction is ongoing for the item"), 400, false}
	case TransactionThrottled:
		return refused{cancelled(call, "ThrottlingError", "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so please try again shortly."), 400, false}
	case TransactionInProgress:
		return refused{&types.TransactionInProgressException{Message: aws.String("The transaction with the given request token is already in progress.")}, 400, true}
	case IdempotentMismatch:
		return refused{&types.IdempotentParameterMismatchException{Message: aws.String("Request parameters do not match those of an earlier request with the same client token.")}, 400, false}
	case WriteConflict:
		return refused{&types.TransactionConflictException{Message: aws.String("Transaction is ongoing for the item")}, 400, true}
	}
	if dynamo {
		return refused{&types.InternalServerError{Message: aws.String("The request could not be processed because of an internal server error. Please retry your request.")}, 500, true}
	}
	return refused{&smithy.GenericAPIError{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure."}, 500, true}
}

// cancelled returns the error of a transaction that its last item cancelled.
// The others have the reason None, whatever their conditions.
func cancelled(call cloud.Call, code, message string) error {
	in, ok := call.Input.(*dynamodb.TransactWriteItemsInput)
	if !ok {
		return fmt.Errorf("faults: %s is not a transaction", call.Operation)
	}
	reasons := make([]types.CancellationReason, len(in.TransactItems))
	codes := make([]string, len(reasons))
	for i := range reasons {
		reasons[i].Code = aws.String("None")
		if i == len(reasons)-1 {
			reasons[i] = types.CancellationReason{Code: aws.String(code), Message: aws.String(message)}
		}
		codes[i] = *reasons[i].Code
	}
	return &types.TransactionCanceledException{
		Message:             aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"),
		CancellationReasons: reasons,
	}
}

// connectionReset is the error of a broken connection.
func connectionReset(call cloud.Call) error {
	return usedUp(call, unanswered(&smithyhttp.RequestSendError{Err: reset("https://" + call.Service + ".us-east-1.amazonaws.com/")}))
}

func reset(address string) *url.Error {
	return &url.Error{Op: "Post", URL: address, Err: &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}
}

// deadline is the error of a call that exceeded the caller's deadline.
func deadline() error {
	return unanswered(&smithy.CanceledError{Err: context.DeadlineExceeded})
}

// unanswered wraps the error of a call without a response as the SDK does.
func unanswered(err error) error {
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{Header: http.Header{}, Body: http.NoBody}}, Err: err,
	}}
}
