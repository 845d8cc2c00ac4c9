// Package invoke starts Lambda functions from others.
package invoke

import (
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

// Starter returns what starts the function without waiting for it. A nil error means that
// Lambda accepted the event.
func Starter(client *awsapi.Lambda, function string) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := client.Invoke(ctx, &awsapi.InvokeInput{Function: function, Event: true}); err != nil {
			return fmt.Errorf("start the function %s: %w", function, err)
		}
		return nil
	}
}
