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

	"gitlab.com/lorehook/lorehook/internal/awsretry"
)

// New returns a client. It calls throttled, unless that is nil, whenever DynamoDB
// throttles an attempt of a call. A single write that met a transaction is sent again,
// as often as any other that DynamoDB could not answer: the SDK would return the
// conflict, and nothing was written. How often is decided by [awsretry.DynamoDB], unless
// cfg has a RetryMaxAttempts; a Retryer of cfg is for other services. Checksums are validated only on AWS: the responses of
// DynamoDB Local have none, and the SDK would log a warning for every call.
func New(cfg aws.Config, throttled func()) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum = cfg.BaseEndpoint != nil
		o.Retryer = retry.AddWithErrorCodes(awsretry.DynamoDB(), (*types.TransactionConflictException)(nil).ErrorCode())
		if throttled != nil {
			o.APIOptions = append(o.APIOptions, reportThrottling(throttled))
		}
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

// Conflicted reports whether err means that a write, or a transaction, met another
// writer's transaction to the end, and nothing else is wrong: the same request succeeds
// later.
func Conflicted(err error) bool {
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return Contended(err) && slices.ContainsFunc(cancelled.CancellationReasons, func(reason types.CancellationReason) bool {
			return aws.ToString(reason.Code) == "TransactionConflict"
		})
	}
	_, met := errors.AsType[*types.TransactionConflictException](err)
	return met
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
