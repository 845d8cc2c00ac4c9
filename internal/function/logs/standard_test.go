package logs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The shapes are aws-lambda-go's.
func TestStandard_WritesALibrarysLineAsJSON(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want map[string]any
	}{
		"an error": {`{"errorMessage":"read run w1: timeout","errorType":"Transient"}` + "\n",
			map[string]any{"msg": "invocation_failed", "error": "read run w1: timeout", "error_name": "Transient"}},
		"a panic": {`{"errorMessage":"index out of range","errorType":"boundsError","stackTrace":[{"path":"a.go","line":7,"label":"f"}]}`,
			map[string]any{"msg": "panic", "error": "index out of range", "error_name": "boundsError",
				"stack": []any{map[string]any{"path": "a.go", "line": 7.0, "label": "f"}}}},
		"text": {"something odd\n", map[string]any{"msg": "library", "error": "something odd"}},
	} {
		var out bytes.Buffer
		n, err := standard{New(&out, slog.LevelInfo)}.Write([]byte(c.line))
		if n != len(c.line) || err != nil {
			t.Errorf("%s: %d bytes, error %v", name, n, err)
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got["level"] != "ERROR" {
			t.Errorf("%s: level %v", name, got["level"])
		}
		delete(got, "time")
		delete(got, "level")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
