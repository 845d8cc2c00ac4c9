// Package invoke starts Lambda functions from others.
package invoke

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Starter returns what starts the function without waiting for it. A nil error means that
// Lambda accepted the event.
func Starter(client *lambda.Client, function string) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeEvent}); err != nil {
			return fmt.Errorf("start the function %s: %w", function, err)
		}
		return nil
	}
}
