// Package dynamo holds what the content and control planes share of DynamoDB:
// the client, typed failures, batched reads and writes that leave nothing
// unprocessed, and AWS's rules for item sizes and capacity.
package dynamo

import (
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// New returns a client. DynamoDB Local answers without a CRC32, of which the
// SDK would warn at every call: checksums are validated on AWS alone.
func New(cfg aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum = cfg.BaseEndpoint != nil
	})
}

// IsConditionFailed reports whether err is the refusal of a single conditional
// write.
func IsConditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}

// Refusals returns the indexes of the transaction items whose condition
// failed, or nil when err is anything else. A transaction that was cancelled
// for another reason as well (a conflict, throttling) is no refusal: what the
// conditions said then is not known to be the last word.
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

// Invalid reports whether DynamoDB will refuse the same request however often
// it is sent, such as an item that is too large.
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

// Contended reports whether err is the cancellation of a transaction for
// nothing but failed conditions and conflicts with other writers: reading
// again and trying again is the answer.
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
