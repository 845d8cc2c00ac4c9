package stepfunctions

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

// ARN is the state machine's ARN.
const ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:lorehook"

// Client returns a client that passes the input of each StartExecution to
// start; options may add interceptors. Other operations fail.
func Client(start func(input json.RawMessage) error, options ...func(*middleware.Stack) error) *awsapi.StepFunctions {
	answer := middleware.InitializeMiddlewareFunc("fakestepfunctions",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			params, ok := in.Parameters.(*awsapi.StartExecutionInput)
			if !ok {
				return out, meta, fmt.Errorf("fakestepfunctions: %T is not supported", in.Parameters)
			}
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			out.Result = &awsapi.StartExecutionOutput{}
			return out, meta, start(json.RawMessage(params.Input))
		})
	return awsapi.NewStepFunctions(aws.Config{Region: "us-east-1", APIOptions: append([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(answer, middleware.After)
	}}, options...)})
}
