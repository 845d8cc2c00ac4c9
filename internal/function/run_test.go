package function

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function/config"
)

func TestRun_ServesOnlyWhatWasBuilt(t *testing.T) {
	t.Setenv("LOREHOOK_REQUESTS_QUEUE_URL", "q")
	t.Setenv("LOREHOOK_HIDES_QUEUE_URL", "h")
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

func TestLimitMemory_LeavesRoomBelowTheFunctionsMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for name, c := range map[string]struct {
		env  map[string]string
		want int64
	}{
		"on Lambda":            {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1000"}, 650 << 20},
		"GOMEMLIMIT wins":      {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1000", "GOMEMLIMIT": "700MiB"}, before},
		"elsewhere":            {nil, before},
		"something unreadable": {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "many"}, before},
	} {
		debug.SetMemoryLimit(before)
		limitMemory(func(name string) string { return c.env[name] })
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%s: the limit is %d, want %d", name, got, c.want)
		}
	}
}
