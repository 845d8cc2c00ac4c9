package written_test

import (
	"os"
	"path/filepath"
	"testing"

	"gitlab.com/lorehook/lorehook/test/written"
)

func TestReplace_ReplacesNothingButItsPart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "document.md")
	const before = "Before.\n<!-- Written by make cost UPDATE=1. -->\nold\n<!-- The end of what make cost writes. -->\nAfter.\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (written.Part{Target: "scale"}).Replace(file, "new\n"); err == nil {
		t.Error("a part was replaced that the document does not have")
	}
	part := written.Part{Target: "cost"}
	if err := part.Replace(file, "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	const want = "Before.\n<!-- Written by make cost UPDATE=1. -->\n\nnew\n\n<!-- The end of what make cost writes. -->\nAfter.\n"
	if err != nil || string(got) != want {
		t.Errorf("error %v, got\n%s", err, got)
	}
	if text, err := part.Of(string(got)); err != nil || text != "new" {
		t.Errorf("the part is %q, error %v", text, err)
	}
}
