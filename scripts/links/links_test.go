package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheProjectHasNoDeadLink(t *testing.T) {
	var out strings.Builder
	dead, err := check(&out, []string{"../.."})
	if err != nil || dead > 0 {
		t.Errorf("error %v\n%s", err, &out)
	}
}

func TestCheck_FindsLinksToNothing(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"docs/a.md": "# The `first` one, *again*\n\n## Twice\n\n## Twice\n\ntext\n" +
			"[good](#twice-1) [good](b.md#the-first-one-again) [good](../docs) [good](https://example.com#x) ![good](a.png)\n\n" +
			"- a list:\n  [bad](#twice-2), [bad](c.md)\n\n| a | b |\n|---|---|\n| c | [bad](b.md#nothing) |\n\n![bad](b.png) [bad](a.png#twice)\n\n`[no link](d.md)`\n\n```\n[no link](d.md)\n```\n",
		"docs/b.md":         "# The first one, again\n\n[good](#by-hand) <a id=\"by-hand\"></a> [good][reference]\n\n[reference]: a.md#the-first-one-again\n",
		"docs/a.png":        "",
		"node_modules/x.md": "[bad](y.md)",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out strings.Builder
	dead, err := check(&out, []string{"."})
	want := `docs/a.md:11: #twice-2: no such heading
docs/a.md:11: c.md: no such file
docs/a.md:15: b.md#nothing: no such heading
docs/a.md:17: b.png: no such file
docs/a.md:17: a.png#twice: only Markdown has headings
12 links, 5 dead
`
	if diff := cmp.Diff(want, out.String()); diff != "" || err != nil || dead != 5 {
		t.Errorf("%d dead, error %v (-want +got):\n%s", dead, err, diff)
	}
}
