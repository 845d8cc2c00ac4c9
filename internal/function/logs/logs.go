// Package logs provides the loggers of all functions: JSON, one line per decision,
// with the field names in [Fields]. Lines include the trace and the run from their
// context, so that one query finds everything about a delivery.
package logs

import (
	"context"
	"io"
	"log/slog"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
)

// New returns a logger that writes lines at the level and above, each with a
// single call to w.
func New(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(carrying{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// carrying adds the trace and the run of the context to each line.
type carrying struct{ slog.Handler }

// Handle implements [slog.Handler]. A line that has its own run_id keeps it: it
// may be about a retry of the run in the context.
func (h carrying) Handle(ctx context.Context, line slog.Record) error {
	parent, runID := trace.From(ctx)
	if parent != "" {
		line.AddAttrs(slog.String(trace.Header, parent))
	}
	if runID != "" && !names(line, "run_id") {
		line.AddAttrs(slog.String("run_id", runID))
	}
	return h.Handler.Handle(ctx, line)
}

func names(line slog.Record, field string) (found bool) {
	line.Attrs(func(a slog.Attr) bool {
		found = found || a.Key == field
		return !found
	})
	return found
}

// WithAttrs implements [slog.Handler].
func (h carrying) WithAttrs(attrs []slog.Attr) slog.Handler {
	return carrying{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h carrying) WithGroup(name string) slog.Handler { return carrying{h.Handler.WithGroup(name)} }
