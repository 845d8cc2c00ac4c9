package dynamodb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// Around returns a client like [DB.Client] whose every call goes through
// around, which may fail it, let it through by send, do something before or
// after it, or change its output. input is the SDK's, such as
// *dynamodb.GetItemInput.
func (db *DB) Around(around func(ctx context.Context, input any, send func() (any, error)) (any, error)) *dynamodb.Client {
	return dynamodb.New(db.Client().Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("around",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
					out.Result, err = around(ctx, in.Parameters, func() (any, error) {
						answer, _, err := next.HandleInitialize(ctx, in)
						return answer.Result, err
					})
					return out, meta, err
				}), middleware.Before)
		})
	})
}
