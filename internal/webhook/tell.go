package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The outcomes of a delivery.
const (
	queued  = "queued"
	ignored = "ignored"
	// refused: answered with 4xx; failed: with 503.
	refused = "refused"
	failed  = "failed"
)

// tell writes the one line of a delivery, and tells the meter of it. Nothing
// that the sender chose gets into either but ids, and these only once verified.
func (h *Handler) tell(ctx context.Context, d incoming, reason string, err error, receivedAt time.Time) {
	took := h.Clock().Sub(receivedAt)
	level, outcome, code := slog.LevelInfo, queued, surgical.Code("")
	if reason != "" {
		outcome = ignored
	}
	if err != nil {
		level, outcome, code = slog.LevelWarn, refused, surgical.CodeOf(err)
		reason = string(code)
		if statusOf(code) >= http.StatusInternalServerError {
			level, outcome = slog.LevelError, failed
		}
	}
	attrs := []slog.Attr{slog.String("outcome", outcome), slog.Int64("duration_ms", took.Milliseconds())}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	if d.runID != "" {
		attrs = append(attrs, slog.String("run_id", d.runID))
	}
	if d.event.ProjectID > 0 {
		attrs = append(attrs, slog.Int64("project_id", d.event.ProjectID))
	}
	if d.event.Target.Type != "" {
		attrs = append(attrs, slog.String("type", string(d.event.Target.Type)), slog.Int64("iid", d.event.Target.IID))
	}
	if outcome == failed {
		attrs = append(attrs, slog.Any("error", err))
	}
	h.Log.LogAttrs(trace.With(ctx, d.trace, ""), level, "delivery", attrs...)
	if h.Meter != nil {
		h.Meter.Delivered(outcome, code, took)
	}
}
