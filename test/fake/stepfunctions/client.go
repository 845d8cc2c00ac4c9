// Package stepfunctions is a Step Functions client for tests. It plugs into the
// SDK's own client as a middleware, so that the code under test runs unchanged
// and nothing is sent.
package stepfunctions

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go/middleware"
)

// Client returns a client whose StartExecution calls start. It answers every
// other operation with an error.
func Client(start func(ctx context.Context, in *sfn.StartExecutionInput) error) *sfn.Client {
	answer := middleware.InitializeMiddlewareFunc("stepfunctions",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			execution, ok := in.Parameters.(*sfn.StartExecutionInput)
			if !ok {
				return out, meta, fmt.Errorf("stepfunctions: %T is not supported", in.Parameters)
			}
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			out.Result = &sfn.StartExecutionOutput{}
			return out, meta, start(ctx, execution)
		})
	return sfn.New(sfn.Options{
		Region: "us-east-1",
		APIOptions: []func(*middleware.Stack) error{
			func(stack *middleware.Stack) error { return stack.Initialize.Add(answer, middleware.Before) },
		},
	})
}
