package cloud

import (
	"context"
	"fmt"
	"slices"
)

// Run runs what takes a test outside of one, in a program. A failure of the test is its
// error.
func Run(ctx context.Context, do func(TB)) (err error) {
	p := &program{ctx: ctx}
	defer func() {
		for _, f := range slices.Backward(p.cleanup) {
			f()
		}
		switch caught := recover().(type) {
		case nil:
		case failure:
			err = caught.error
		default:
			panic(caught)
		}
	}()
	do(p)
	return nil
}

// failure carries a fatal failure out of the program as a panic.
type failure struct{ error }

// program implements [TB].
type program struct {
	ctx     context.Context
	cleanup []func()
}

func (p *program) Helper()                           {}
func (p *program) Context() context.Context          { return p.ctx }
func (p *program) Cleanup(f func())                  { p.cleanup = append(p.cleanup, f) }
func (p *program) Errorf(format string, args ...any) { p.Fatalf(format, args...) }
func (p *program) Fatal(args ...any)                 { panic(failure{fmt.Errorf("%s", fmt.Sprint(args...))}) }
func (p *program) Fatalf(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}
