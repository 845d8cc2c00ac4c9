package awsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Lambda invokes functions.
type Lambda struct{ client *client }

// NewLambda returns a client with the configuration.
func NewLambda(cfg aws.Config) *Lambda {
	return &Lambda{newClient(cfg, service{id: "Lambda", name: "lambda"})}
}

// InvokeInput is an event for a function.
type InvokeInput struct {
	// Function is its name or ARN.
	Function string
	// Event starts the function without waiting for it.
	Event bool
	// Payload is JSON of at most 6 MB, 1 MB of an event; nil for none.
	Payload []byte
}

// InvokeOutput is what the function returned, as JSON; nothing of an event.
type InvokeOutput struct {
	// FunctionError is set if the function failed. Payload describes how.
	FunctionError string
	Payload       []byte
}

// Invoke invokes a function. If the call fails, the function may run nevertheless; a nil
// error does not mean that the function did not fail.
func (l *Lambda) Invoke(ctx context.Context, in *InvokeInput) (*InvokeOutput, error) {
	return call[InvokeInput, InvokeOutput](ctx, l.client, "Invoke", in, func(in *InvokeInput) operation {
		return operation{
			write: func(req *smithyhttp.Request) error {
				if in.Event {
					req.Header.Set("X-Amz-Invocation-Type", "Event")
				}
				if in.Payload != nil {
					req.Header.Set("Content-Type", "application/octet-stream")
				}
				return post(req, "/2015-03-31/functions/"+httpbinding.EscapePath(in.Function, true)+"/invocations", in.Payload)
			},
			read: func(answer *smithyhttp.Response) (any, error) {
				body, err := succeeded(l.client.service, answer)
				if err != nil {
					return nil, err
				}
				out := &InvokeOutput{FunctionError: answer.Header.Get("X-Amz-Function-Error")}
				if len(body) > 0 {
					out.Payload = body
				}
				return out, nil
			},
		}
	})
}
