package secret

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

// Reader is the part of the Secrets Manager client that [FromManager] uses.
type Reader interface {
	GetSecretValue(context.Context, *awsapi.GetSecretValueInput) (*awsapi.GetSecretValueOutput, error)
}

// FromManager returns a load function for [NewSource] that reads the secret with
// the id (name or ARN) and parses it. client is called only when the secret is
// read, because creating the client dominates a cold start. Errors name the secret
// but never quote it.
func FromManager[T any](client func() Reader, id string, parse func(text string) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		var none T
		out, err := client().GetSecretValue(ctx, &awsapi.GetSecretValueInput{SecretID: id})
		if gone(err) {
			err = fmt.Errorf("%w: %w", ErrUnusable, err)
		}
		if err != nil {
			return none, fmt.Errorf("read secret %s: %w", id, err)
		}
		value, err := parse(out.Text)
		if err != nil {
			return none, fmt.Errorf("secret %s: %w: %w", id, ErrUnusable, err)
		}
		return value, nil
	}
}

// gone reports whether Secrets Manager answered that there is no such secret, or that
// it is scheduled for deletion.
func gone(err error) bool {
	said, ok := errors.AsType[smithy.APIError](err)
	return ok && (said.ErrorCode() == awsapi.CodeNoSecret || said.ErrorCode() == awsapi.CodeInvalidRequest)
}
