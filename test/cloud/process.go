package cloud

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// Process is one invocation of one function.
type Process struct {
	// Function is the function's name.
	Function string

	dead   atomic.Bool
	cancel context.CancelFunc
}

// Kill ends the process at this point: from now on, none of its calls has an
// effect, and no response reaches it.
func (p *Process) Kill() {
	p.dead.Store(true)
	p.cancel()
}

// errDead is returned to the code of a dead process; nothing reads it.
var errDead = errors.New("the process is dead")

// errThrottled is how an invocation fails that Lambda does not start.
var errThrottled = errors.New("no invocation is started: Lambda throttles")

type processKey struct{}

// ProcessOf returns the process that makes the call.
func ProcessOf(ctx context.Context) *Process {
	p, _ := ctx.Value(processKey{}).(*Process)
	return p
}

// In returns the context of an invocation of the function that a test makes itself:
// [ProcessOf] names its function.
func In(ctx context.Context, function string) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	return context.WithValue(ctx, processKey{}, &Process{Function: function, cancel: cancel})
}

// invoke runs one invocation of a function under its time limit. It fails if
// Lambda did not start it, the process died, or ran out of time.
func (c *Cloud) invoke(function string, limit time.Duration, handle func(ctx context.Context) error) (*Process, error) {
	if c.Starts != nil && !c.Starts(function) {
		return nil, errThrottled
	}
	ctx, cancel := context.WithTimeout(c.T.Context(), limit)
	defer cancel()
	p := &Process{Function: function, cancel: cancel}
	err := handle(context.WithValue(ctx, processKey{}, p))
	switch {
	case p.dead.Load():
		return p, errDead
	case ctx.Err() != nil:
		p.dead.Store(true) // anything it left running ends with it
		return p, errDead
	}
	return p, err
}

// boundary is where every call to a service passes.
func (c *Cloud) boundary(ctx context.Context, call Call, send func() error) error {
	p := ProcessOf(ctx)
	if p == nil {
		return send()
	}
	if p.dead.Load() {
		return errDead
	}
	if err := c.authorize(p.Function, call); err != nil {
		return err
	}
	if req, ok := call.Input.(*http.Request); ok {
		c.replica.remember(req)
	}
	observed := func() error {
		err := send()
		if err == nil && call.Writes() && !c.Unobserved {
			c.observe(call)
		}
		return err
	}
	var err error
	if c.Around == nil {
		err = observed()
	} else {
		err = c.Around(ctx, call, observed)
	}
	if p.dead.Load() {
		return errDead
	}
	return err
}
