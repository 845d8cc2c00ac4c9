package stepfunctions

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go/middleware"
)

// ARN is the state machine's ARN.
const ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:lorehook"

// Client returns an SDK client that passes the input of each StartExecution to
// start; options may add interceptors. Other operations fail.
func Client(start func(input json.RawMessage) error, options ...func(*middleware.Stack) error) *sfn.Client {
	answer := middleware.InitializeMiddlewareFunc("fakestepfunctions",
		func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			params, ok := in.Parameters.(*sfn.StartExecutionInput)
			if !ok {
				return out, meta, fmt.Errorf("fakestepfunctions: %T is not supported", in.Parameters)
			}
			if err := ctx.Err(); err != nil {
				return out, meta, &aws.RequestCanceledError{Err: err}
			}
			out.Result = &sfn.StartExecutionOutput{ExecutionArn: aws.String(ARN + ":execution")}
			return out, meta, start(json.RawMessage(*params.Input))
		})
	return sfn.New(sfn.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: append([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(answer, middleware.After)
		}}, options...),
	})
}
