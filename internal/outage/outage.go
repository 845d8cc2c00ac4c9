// Package outage tells failures of the services that Lorehook depends on from Lorehook's
// own: those pass, and the same request succeeds later.
package outage

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Typed returns err as [surgical.CodeDependencyUnavailable] if a service of AWS could not
// be reached, failed, throttled the request to the end, had another write in its way to
// the end, or did not answer before the context's deadline. An error that has a code, and
// any other, is returned as it is.
func Typed(err error) error {
	if _, typed := errors.AsType[*surgical.Error](err); typed || !passes(err) {
		return err
	}
	return Unavailable(err, "a service that this needs is out of reach, or did not answer in time")
}

// Unavailable is the failure of a request that needs what is out of reach.
func Unavailable(cause error, message string) *surgical.Error {
	err := surgical.WrapError(surgical.CodeDependencyUnavailable, cause, message)
	err.RetryAfter = surgical.UnavailableRetryAfter
	return err
}

// AsError is [surgical.AsError], except that an untyped failure that passes is
// [surgical.CodeDependencyUnavailable], and that a request that DynamoDB calls invalid is
// never retryable: it stays invalid however often it is sent.
func AsError(err error) *surgical.Error {
	e := surgical.AsError(Typed(err))
	if !e.Retryable || !dynamo.Invalid(err) {
		return e
	}
	final := *e
	final.Retryable, final.Action = false, surgical.ActionContactOperator
	final.Message += "; DynamoDB calls the request invalid"
	return &final
}

// passes reports whether the SDK would have sent the request again if it had tries or
// time left, or has none left. A request that its caller cancelled is not one of them.
func passes(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, dynamo.ErrNoTime) || dynamo.Throttled(err) || dynamo.Conflicted(err) {
		return true
	}
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}
