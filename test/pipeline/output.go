package pipeline

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// Output remembers what was written to it, as CloudWatch Logs does.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// Take returns the lines that were written since the last call.
func (o *Output) Take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSuffix(o.text.String(), "\n")
	o.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Logger returns a logger into the world's output, of every level.
func (w *World) Logger() *slog.Logger { return logs.New(&w.Output, slog.LevelDebug) }

// Meter returns a meter into the world's output.
func (w *World) Meter() *metrics.Emitter { return metrics.New(&w.Output, "lorehook", w.Clock.Now) }
