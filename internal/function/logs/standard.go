package logs

import (
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
)

// Function returns the logger of a Lambda function, which writes to standard
// output. It also redirects the standard log package there, because aws-lambda-go
// uses that to report why an invocation failed.
func Function(level slog.Leveler) *slog.Logger {
	logger := New(os.Stdout, level)
	log.SetFlags(0)
	log.SetOutput(standard{logger})
	return logger
}

// standard converts lines of the standard log package.
type standard struct{ log *slog.Logger }

var _ io.Writer = standard{}

// Write implements [io.Writer].
func (s standard) Write(line []byte) (int, error) {
	var failed struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
		Stack   []any  `json:"stackTrace"`
	}
	switch err := json.Unmarshal(line, &failed); {
	case err != nil || failed.Message == "":
		s.log.Error("library", "error", strings.TrimSpace(string(line)))
	case len(failed.Stack) > 0:
		s.log.Error("panic", "error", failed.Message, "error_name", failed.Type, "stack", failed.Stack)
	default:
		s.log.Error("invocation_failed", "error", failed.Message, "error_name", failed.Type)
	}
	return len(line), nil
}
