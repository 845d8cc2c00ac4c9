// Package awsretry decides how often clients of AWS send a request, and how long they wait
// before they send it again. Nothing is left to the defaults of a client, which differ
// between services and versions.
package awsretry

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Standard returns the retryer of a client of any service but DynamoDB. It sends a request
// up to [surgical.AWSAttempts] times, with pauses from [surgical.AWSRetryPause].
func Standard() aws.Retryer { return standard(surgical.AWSAttempts, surgical.AWSRetryPause) }

// DynamoDB returns the retryer of a client of DynamoDB. It sends a request up to
// [surgical.DynamoDBAttempts] times, with pauses from [surgical.DynamoDBRetryPause].
func DynamoDB() aws.Retryer {
	return standard(surgical.DynamoDBAttempts, surgical.DynamoDBRetryPause)
}

// standard is the SDK's standard mode: which failures it repeats, and its quota of
// repetitions, are the SDK's.
func standard(attempts int, pause time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.BaseDelay, o.MaxBackoff = attempts, pause, surgical.AWSMaxRetryPause
	})
}
