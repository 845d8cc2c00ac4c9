// Package logs makes the loggers of all functions: JSON, one line a decision,
// under the names that [Fields] lists. A line has the trace and the run that its
// context carries, so that one query shows the whole way of a delivery.
package logs

import (
	"context"
	"io"
	"log/slog"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
)

// New returns a logger that writes lines of the level and above, each with one
// call to w.
func New(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(carrying{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// carrying adds to each line what its context carries.
type carrying struct{ slog.Handler }

// Handle implements [slog.Handler]. A line that names a run itself, which may
// be the retry of the one that is carried, keeps its own.
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
