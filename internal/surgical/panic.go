package surgical

import (
	"fmt"
	"runtime"
	"strings"
)

const (
	// maxFrames is how many stack frames a [Panic] keeps.
	maxFrames = 32
	// shownFrames is how many of them its message has.
	shownFrames = 4
)

// Panic is the cause of a failure that was a panic. It has the type of the
// panic's value, never the value itself, which may contain fetched text.
type Panic struct {
	// Kind is the Go type of the value, such as "runtime.boundsError".
	Kind string
	// Stack has one frame an entry, innermost first: "file:line function".
	Stack []string
}

// Error implements error.
func (p *Panic) Error() string {
	return fmt.Sprintf("panic: %s at %s", p.Kind, strings.Join(p.Stack[:min(shownFrames, len(p.Stack))], " < "))
}

// PanicOf describes the value of a recover. It must be called by the deferred
// function that recovered, while the stack still shows where the panic came from.
func PanicOf(value any) *Panic {
	p := &Panic{Kind: fmt.Sprintf("%T", value)}
	callers := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "runtime.") {
			if strings.Contains(frame.Function, "panic") {
				p.Stack = nil // the frames so far are those of recovering
			}
		} else {
			p.Stack = append(p.Stack, fmt.Sprintf("%s:%d %s", frame.File, frame.Line, frame.Function))
		}
		if !more {
			return p
		}
	}
}

// Recover must be deferred. It turns a panic into a permanent [CodeInternal]
// failure in *err, whose cause is a [*Panic]. Every goroutine that runs code of
// others defers it, so that a mistake in that code costs one target and not the
// process.
func Recover(err *error) {
	if value := recover(); value != nil {
		*err = PanicFailure(PanicOf(value))
	}
}

// PanicFailure is the failure that a recovered panic becomes. It is permanent,
// because the same input would panic again.
func PanicFailure(p *Panic) *Error {
	e := WrapError(CodeInternal, p, "the code that processes this entity crashed; its stack is in the log")
	e.Action, e.Retryable = ActionContactOperator, false
	return e
}
