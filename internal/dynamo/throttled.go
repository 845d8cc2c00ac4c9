package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// reportThrottling calls throttled for every attempt of a call that DynamoDB throttles,
// and for every answer that leaves a part of a batch unprocessed.
func reportThrottling(throttled func()) func(*middleware.Stack) error {
	watch := middleware.FinalizeMiddlewareFunc("ReportThrottling",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleFinalize(ctx, in)
			if err != nil && Throttled(err) || err == nil && partial(out.Result) {
				throttled()
			}
			return out, metadata, err
		})
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(watch, "Retry", middleware.After) // within it: once for each attempt
	}
}

// partial reports whether the answer leaves something of a batch unprocessed.
func partial(result any) bool {
	switch out := result.(type) {
	case *dynamodb.BatchWriteItemOutput:
		return len(out.UnprocessedItems) > 0
	case *dynamodb.BatchGetItemOutput:
		return len(out.UnprocessedKeys) > 0
	}
	return false
}
