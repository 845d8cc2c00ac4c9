package secret

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Reader is the part of the Secrets Manager client that [FromManager] uses.
type Reader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// FromManager returns a load function for [NewSource] that reads the secret with
// the id (name or ARN) and parses it. client is called only when the secret is
// read, because creating the client dominates a cold start. Errors name the secret
// but never quote it.
func FromManager[T any](client func() Reader, id string, parse func(text string) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		var none T
		out, err := client().GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
		if gone(err) {
			err = fmt.Errorf("%w: %w", ErrUnusable, err)
		}
		if err != nil {
			return none, fmt.Errorf("read secret %s: %w", id, err)
		}
		value, err := parse(aws.ToString(out.SecretString))
		if err != nil {
			return none, fmt.Errorf("secret %s: %w: %w", id, ErrUnusable, err)
		}
		return value, nil
	}
}

// gone reports whether Secrets Manager answered that there is no such secret, or that
// it is scheduled for deletion.
func gone(err error) bool {
	var missing *types.ResourceNotFoundException
	var deleted *types.InvalidRequestException
	return errors.As(err, &missing) || errors.As(err, &deleted)
}
