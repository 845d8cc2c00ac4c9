package memory_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestFigures_ReadsWhatCheckAtKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory.jsonl")
	if _, err := memory.Figures(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	memory.CheckAt(t, "docs", "not kept", 1, 1, 512)
	t.Setenv("LOREHOOK_MEMORY_FIGURES", path)
	memory.CheckAt(t, "docs", "60 comments", 60_000_000, 200, 512)
	memory.CheckAt(t, "api", "one comment", 10, 20, 640)
	got, err := memory.Figures(path)
	if diff := cmp.Diff([]memory.Figure{{"docs", "60 comments", 200, 60_000_000}, {"api", "one comment", 20, 10}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
