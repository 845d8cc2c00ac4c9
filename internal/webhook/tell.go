package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// tell writes the delivery's only log line and reports it to the meter. The only
// values from the sender in either are ids, and only once the delivery is verified.
func (h *Handler) tell(ctx context.Context, d incoming, reason string, failure *problem.Problem, receivedAt time.Time) {
	took := h.Clock().Sub(receivedAt)
	level, outcome, code := slog.LevelInfo, metrics.OutcomeQueued, surgical.Code("")
	if reason != "" {
		outcome = metrics.OutcomeIgnored
	}
	if failure != nil {
		level, outcome, code = slog.LevelWarn, metrics.OutcomeRefused, failure.Code
		reason = string(code)
		if failure.Status >= http.StatusInternalServerError {
			level, outcome = slog.LevelError, metrics.OutcomeFailed
		}
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("outcome", outcome), slog.Int64("duration_ms", took.Milliseconds()))
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
	if outcome == metrics.OutcomeFailed {
		attrs = append(attrs, slog.String("error", failure.Error()))
	}
	h.Log.LogAttrs(trace.With(ctx, d.trace, ""), level, "delivery", attrs...)
	if h.Meter != nil {
		h.Meter.Delivered(outcome, code, took)
	}
}
