package function

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// timed reports invocations that take nearly as long as they may. Lambda ends one that
// takes longer, so nothing is reported of it here.
type timed struct {
	lambda.Handler
	slow  func()
	clock func() time.Time
}

// Invoke implements [lambda.Handler].
func (t timed) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	began := t.clock()
	response, err := t.Handler.Invoke(ctx, payload)
	if deadline, ok := ctx.Deadline(); ok {
		if took, may := t.clock().Sub(began), deadline.Sub(began); took.Seconds() > surgical.NearTheLimit*may.Seconds() {
			t.slow()
		}
	}
	return response, err
}
