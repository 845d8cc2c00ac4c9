package function

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function/config"
)

func TestRun_ServesOnlyWhatWasBuilt(t *testing.T) {
	t.Setenv("LOREHOOK_REQUESTS_QUEUE_URL", "q")
	t.Setenv("LOREHOOK_LOG_LEVEL", "WARN")
	cause := errors.New("no client")
	for name, c := range map[string]struct {
		queue string
		err   error
		fails bool
	}{
		"built": {"q", nil, false}, "not built": {"q", cause, true}, "not configured": {"", nil, true},
	} {
		t.Setenv("LOREHOOK_PROJECTS", map[bool]string{true: "*", false: "none"}[c.queue != ""])
		var served any
		exit := run(t.Context(), func(ctx context.Context, env Env[config.Webhook]) (any, error) {
			if env.Config.RequestsQueueURL != "q" || env.Meter == nil || env.Log.Enabled(ctx, slog.LevelInfo) || !env.Log.Enabled(ctx, slog.LevelWarn) {
				t.Errorf("%s: built from %+v", name, env)
			}
			return "handler", c.err
		}, func(handler any) { served = handler })
		if (exit == 1) != c.fails || (served != nil) == c.fails {
			t.Errorf("%s: served %v, exit %d", name, served, exit)
		}
	}
}
