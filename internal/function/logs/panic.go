package logs

import (
	"context"
	"log/slog"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Panics must be deferred. It logs a panic as one line with the context's run,
// instead of Go's many lines without one, and panics again. Neither includes the
// panic's value, which may contain fetched text.
func Panics(ctx context.Context, log *slog.Logger) {
	value := recover()
	if value == nil {
		return
	}
	p := surgical.PanicOf(value)
	Panic(ctx, log, p)
	panic(p.Kind + "; the stack is in the log line before this one")
}

// Panic logs a panic that was recovered as one line.
func Panic(ctx context.Context, log *slog.Logger, p *surgical.Panic, args ...any) {
	log.ErrorContext(ctx, "panic", append(args, "error_name", p.Kind, "stack", p.Stack)...)
}
