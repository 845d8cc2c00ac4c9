package logs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
)

// maxFrames is the maximum number of stack frames logged for a panic.
const maxFrames = 32

// Panics must be deferred. It logs a panic as one line with the context's run,
// instead of Go's many lines without one, and panics again. Neither includes the
// panic's value, which may contain fetched text.
func Panics(ctx context.Context, log *slog.Logger) {
	value := recover()
	if value == nil {
		return
	}
	callers := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	var stack []string
	for {
		frame, more := frames.Next()
		stack = append(stack, fmt.Sprintf("%s:%d %s", frame.File, frame.Line, frame.Function))
		if !more {
			break
		}
	}
	log.ErrorContext(ctx, "panic", "error_name", fmt.Sprintf("%T", value), "stack", stack)
	panic(fmt.Sprintf("%T; the stack is in the log line before this one", value))
}
