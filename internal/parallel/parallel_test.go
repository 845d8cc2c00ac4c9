package parallel_test

import (
	"errors"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestGroup_FailsWithATaskThatPanics(t *testing.T) {
	group, ctx := parallel.WithContext(t.Context())
	group.SetLimit(2)
	group.Go(func() error {
		<-ctx.Done() // the panic cancels the others, as a failure does
		return ctx.Err()
	})
	group.Go(func() error { panic("the text of an issue") })
	err := group.Wait()
	var p *surgical.Panic
	if !errors.As(err, &p) || surgical.AsError(err).Retryable {
		t.Errorf("error %v, want a permanent failure with the panic as its cause", err)
	}
}
