// Package dynamo is what the content store and the run ledger share: the DynamoDB
// client, typed failures, batch reads and writes that leave nothing unprocessed,
// and AWS's rules for item sizes and capacity.
package dynamo

import (
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// New returns a client. Checksums are validated only on AWS: the responses of
// DynamoDB Local have none, and the SDK would log a warning for every call.
func New(cfg aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum = cfg.BaseEndpoint != nil
	})
}

// IsConditionFailed reports whether err means that the condition of a single
// write failed.
func IsConditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}

// Refusals returns the indexes of the transaction items whose conditions failed,
// or nil if err is anything else. A transaction that was cancelled for another
// reason as well, such as a conflict or throttling, is not a refusal: the result
// of its conditions may not be final.
func Refusals(err error) []int {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return nil
	}
	var refused []int
	for i, reason := range cancelled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "ConditionalCheckFailed":
			refused = append(refused, i)
		case "None", "":
		default:
			return nil
		}
	}
	return refused
}

// Invalid reports whether DynamoDB will refuse the same request every time, for
// example because an item is too large.
func Invalid(err error) bool {
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		return slices.ContainsFunc(cancelled.CancellationReasons, func(reason types.CancellationReason) bool {
			code := aws.ToString(reason.Code)
			return code == "ValidationError" || code == "ItemCollectionSizeLimitExceeded"
		})
	}
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException"
}

// AsError is [surgical.AsError], except that a request that DynamoDB calls invalid
// is never retryable: it stays invalid however often it is sent.
func AsError(err error) *surgical.Error {
	e := surgical.AsError(err)
	if !e.Retryable || !Invalid(err) {
		return e
	}
	final := *e
	final.Retryable, final.Action = false, surgical.ActionContactOperator
	final.Message += "; DynamoDB calls the request invalid"
	return &final
}

// Contended reports whether err is the cancellation of a transaction because of
// failed conditions or conflicts with other writers only. The caller should read
// again and retry.
func Contended(err error) bool {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return false
	}
	for _, reason := range cancelled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "None", "", "ConditionalCheckFailed", "TransactionConflict":
		default:
			return false
		}
	}
	return true
}

// Throttled reports whether err means that DynamoDB asked for a slower pace, and
// nothing else is wrong: the same request succeeds later. A transaction counts if
// any of its items was throttled and none is invalid; whether its conditions hold
// is not known then.
func Throttled(err error) bool {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return errors.Is(err, errUnprocessed) ||
			retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
	}
	return !Invalid(err) && slices.ContainsFunc(cancelled.CancellationReasons, func(reason types.CancellationReason) bool {
		switch aws.ToString(reason.Code) {
		case "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded":
			return true
		}
		return false
	})
}
