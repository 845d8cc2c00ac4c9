package surgical

import (
	"context"
	"log/slog"
	"slices"
)

// LogFields name the run in a log line.
func (r Run) LogFields() []any {
	fields := []any{slog.String("run_id", r.RunID), slog.Int64("project_id", r.ProjectID), slog.String("origin", string(r.Origin))}
	if len(r.Targets) == 1 {
		fields = append(fields, slog.String("type", string(r.Targets[0].Type)), slog.Int64("iid", r.Targets[0].IID))
	}
	return fields
}

// LogClosed logs how a terminal run ended: its status and the stage that it ended
// in. A failed run is logged as a warning, with its code and the code of the first
// target that made it fail.
func (r Run) LogClosed(ctx context.Context, log *slog.Logger, args ...any) {
	level := slog.LevelInfo
	if r.Status == StatusFailed {
		level = slog.LevelWarn
	}
	log.Log(ctx, level, "closed", slices.Concat(r.LogFields(), r.closedFields(), args)...)
}

func (r Run) closedFields() []any {
	fields := []any{slog.String("status", string(r.Status)), slog.String("stage", string(r.Stage))}
	if r.Error == nil {
		return fields
	}
	fields = append(fields, slog.String("code", string(r.Error.Code)))
	if len(r.Error.Failures) > 0 {
		fields = append(fields, slog.String("cause_code", string(r.Error.Failures[0].Code)))
	}
	return fields
}
