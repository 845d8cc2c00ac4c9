package memory

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
)

// figuresEnv names the variable with the path of a file to which each [Figure] is appended.
const figuresEnv = "LOREHOOK_MEMORY_FIGURES"

// Figure is the most memory that a task needed at a limit of what is fetched, beside the
// size of the texts there.
type Figure struct {
	Task  string `json:"task"`
	Limit string `json:"limit"`
	// Peak is in MB of 1024 times 1024 bytes.
	Peak int `json:"peak_mb"`
	// Payload is in bytes.
	Payload int64 `json:"payload_bytes"`
}

// CheckAt is [Check] of a peak at a limit, and keeps the figure if make memory runs the test.
func CheckAt(t *testing.T, task, limit string, payload int64, peak, megabytes int) {
	t.Helper()
	Check(t, task+", "+limit, peak, megabytes)
	path := os.Getenv(figuresEnv)
	if path == "" {
		return
	}
	if err := appendTo(path, Figure{task, limit, peak, payload}); err != nil {
		t.Error(err)
	}
}

// WithinAt is [Within] at a limit of an entity, and keeps the figure like [CheckAt].
func WithinAt(t *testing.T, task string, limit Entity, megabytes int, input any) {
	t.Helper()
	CheckAt(t, task, limit.Name, limit.Payload(), Peak(t, task, megabytes, input), megabytes)
}

func appendTo(path string, f Figure) error {
	line, err := json.Marshal(f)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// Figures reads what the last make memory kept. Without one, the error is
// [os.ErrNotExist].
func Figures(path string) (all []Figure, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for lines := json.NewDecoder(file); ; {
		var f Figure
		if err := lines.Decode(&f); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
}
