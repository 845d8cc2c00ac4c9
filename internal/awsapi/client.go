package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// service says how a service is reached.
type service struct {
	// id is its name in failures and for interceptors.
	id string
	// name is what its host begins with, and what requests are signed for.
	name string
	// target and version are those of the JSON protocol, "" for a service with another one.
	target, version string
	// query says that failures had other codes before, which are asked for and understood.
	query bool
}

// client calls the operations of a service. It is safe for concurrent use.
type client struct {
	service service
	cfg     aws.Config
	http    aws.HTTPClient
	// retryer also limits how often all calls together are repeated.
	retryer aws.Retryer
	signer  *v4.Signer
}

func newClient(cfg aws.Config, s service) *client {
	c := &client{service: s, cfg: cfg, http: cfg.HTTPClient, signer: v4.NewSigner()}
	if c.http == nil {
		c.http = awshttp.NewBuildableClient()
	}
	if cfg.Retryer != nil {
		c.retryer = cfg.Retryer()
	} else {
		c.retryer = retry.NewStandard()
	}
	if cfg.RetryMaxAttempts > 0 {
		c.retryer = retry.AddWithMaxAttempts(c.retryer, cfg.RetryMaxAttempts)
	}
	return c
}

// operation is one call: write makes its request, and read its output.
type operation struct {
	write func(*smithyhttp.Request) error
	read  func(*smithyhttp.Response) (output any, err error)
}

// call calls the operation with the name. The input is for those who intercept calls, who may
// replace it and the output.
func call[In, Out any](ctx context.Context, c *client, name string, in *In, of func(*In) operation) (*Out, error) {
	result, err := c.do(ctx, name, in, func(in any) (operation, error) {
		typed, ok := in.(*In)
		if !ok {
			return operation{}, fmt.Errorf("an input of type %T, not %T", in, typed)
		}
		return of(typed), nil
	})
	if err == nil {
		if out, ok := result.(*Out); ok {
			return out, nil
		}
		err = fmt.Errorf("an output of type %T", result)
	}
	return nil, &smithy.OperationError{ServiceID: c.service.id, OperationName: name, Err: err}
}

func (c *client) do(ctx context.Context, name string, in any, of func(in any) (operation, error)) (output any, err error) {
	ctx = middleware.WithOperationName(middleware.WithServiceID(middleware.ClearStackValues(ctx), c.service.id), name)
	stack := middleware.NewStack(name, smithyhttp.NewStackRequest)
	if err := c.fill(stack, of); err != nil {
		return nil, err
	}
	output, _, err = middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(c.http), stack).Handle(ctx, in)
	return output, err
}

// fill adds to the stack what happens to each call, in the order of the SDK's clients.
func (c *client) fill(stack *middleware.Stack, of func(in any) (operation, error)) error {
	var op operation
	write := middleware.SerializeMiddlewareFunc("OperationSerializer",
		func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (out middleware.SerializeOutput, meta middleware.Metadata, err error) {
			if op, err = of(in.Parameters); err != nil {
				return out, meta, &smithy.SerializationError{Err: err}
			}
			if in.Request, err = c.request(in.Request, op); err != nil {
				return out, meta, &smithy.SerializationError{Err: err}
			}
			return next.HandleSerialize(ctx, in)
		})
	sign := middleware.FinalizeMiddlewareFunc("Signing",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, meta middleware.Metadata, err error) {
			if err := c.sign(ctx, in.Request); err != nil {
				return out, meta, err
			}
			return next.HandleFinalize(ctx, in)
		})
	read := middleware.DeserializeMiddlewareFunc("OperationDeserializer",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (out middleware.DeserializeOutput, meta middleware.Metadata, err error) {
			out, meta, err = next.HandleDeserialize(ctx, in)
			answer, ok := out.RawResponse.(*smithyhttp.Response)
			if !ok {
				return out, meta, err
			}
			defer smithyhttp.CloseResponseBody(ctx, answer, false, err)
			if err == nil {
				out.Result, err = op.read(answer)
			}
			return out, meta, err
		})
	errs := []error{
		stack.Serialize.Add(write, middleware.After),
		awsmiddleware.AddClientRequestIDMiddleware(stack),
		awsmiddleware.AddRequestUserAgentMiddleware(stack),
		awsmiddleware.AddRecursionDetection(stack),
		stack.Finalize.Add(&v4.ComputePayloadSHA256{}, middleware.Before),
		stack.Finalize.Add(sign, middleware.After),
		retry.AddRetryMiddlewares(stack, retry.AddRetryMiddlewaresOptions{Retryer: c.retryer}),
		stack.Deserialize.Add(read, middleware.After),
		awsmiddleware.AddRequestIDRetrieverMiddleware(stack),
		awshttp.AddResponseErrorMiddleware(stack),
	}
	for _, option := range c.cfg.APIOptions {
		errs = append(errs, option(stack))
	}
	return errors.Join(errs...)
}

// request returns the request of the operation.
func (c *client) request(blank any, op operation) (any, error) {
	req, ok := blank.(*smithyhttp.Request)
	if !ok {
		return nil, fmt.Errorf("a request of type %T", blank)
	}
	at, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	req.URL = at
	return req, op.write(req)
}

// sign signs a request, whose hash is in the context.
func (c *client) sign(ctx context.Context, request any) error {
	req, ok := request.(*smithyhttp.Request)
	if !ok {
		return fmt.Errorf("a request of type %T", request)
	}
	if c.cfg.Credentials == nil {
		return errors.New("no credentials are configured")
	}
	credentials, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return c.signer.SignHTTP(ctx, credentials, req.Request, v4.GetPayloadHash(ctx), c.service.name, c.cfg.Region, time.Now())
}

// endpoint returns the URL of the service.
func (c *client) endpoint() (*url.URL, error) {
	if c.cfg.BaseEndpoint != nil {
		return url.Parse(*c.cfg.BaseEndpoint)
	}
	if c.cfg.Region == "" {
		return nil, &aws.MissingRegionError{}
	}
	return &url.URL{Scheme: "https", Host: c.service.name + "." + c.cfg.Region + "." + domain(c.cfg.Region)}, nil
}
