package cloud

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// Intercept returns a client whose every call goes through around, which may
// fail it before or after it is applied (send), hold it, or change the request
// and the response.
func Intercept(client *dynamodb.Client, around func(ctx context.Context, call Call, send func() error) error) *dynamodb.Client {
	return dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, InterceptAPI(DynamoDB, around))
	})
}

// InterceptAPI is [Intercept] for the options of any service's client. The
// interceptor is above the SDK's retries: it decides how the whole call ends.
func InterceptAPI(service string, around Around) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Intercept",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				var meta middleware.Metadata
				call := Call{Service: service, Operation: middleware.GetOperationName(ctx), Input: in.Parameters, exchange: &exchange{input: in.Parameters}}
				send := func(ctx context.Context) (err error) {
					var out middleware.InitializeOutput
					out, meta, err = next.HandleInitialize(ctx, middleware.InitializeInput{Parameters: call.input})
					if err == nil {
						call.output = out.Result
					}
					return err
				}
				call.land = func() error {
					_, _, err := next.HandleInitialize(context.WithoutCancel(ctx), middleware.InitializeInput{Parameters: call.input})
					return err
				}
				err := around(ctx, call, func() error { return send(ctx) })
				if err != nil {
					return middleware.InitializeOutput{}, meta, err
				}
				return middleware.InitializeOutput{Result: call.output}, meta, nil
			}), middleware.Before)
	}
}

// InterceptHTTP is [Intercept] for the requests to GitLab.
func InterceptHTTP(next http.RoundTripper, around Around) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		call := Call{Service: GitLab, Operation: req.Method, Input: req, exchange: &exchange{input: req}}
		send := func() error {
			resp, err := next.RoundTrip(call.input.(*http.Request))
			call.output = resp
			return err
		}
		call.land = send
		if err := around(req.Context(), call, send); err != nil {
			return nil, err
		}
		return call.output.(*http.Response), nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
