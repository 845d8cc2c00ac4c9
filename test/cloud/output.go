package cloud

import (
	"bytes"
	"strings"
	"sync"
)

// Output stores what is written to it, as CloudWatch Logs does.
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

// Take returns the lines written since the last call.
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
