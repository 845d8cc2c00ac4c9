package logs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
)

// maxFrames is how many frames of a panic's stack are logged.
const maxFrames = 32

// Panics, deferred, writes one line about a panic, for Go's own words have many
// lines and no run, and panics again. The value stays out of both: it may hold
// what was fetched.
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
	panic(fmt.Sprintf("a %T, see the line before", value))
}
