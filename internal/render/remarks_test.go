package render_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// discussed returns the chunks of a discussion with these comments, without where they
// come from.
func discussed(t *testing.T, bodies ...string) (parts []string) {
	t.Helper()
	var notes []map[string]any
	for i, body := range bodies {
		notes = append(notes, map[string]any{
			"id": i + 1, "body": body, "internal": false, "system": false, "author": map[string]any{"username": "ines", "name": "Inês"},
			"created_at": fmt.Sprintf("2026-05-26T14:%02d:00Z", i), "resolvable": true, "resolved": true,
		})
	}
	raw, err := json.Marshal(map[string]any{"id": "d", "notes": notes})
	if err != nil {
		t.Fatal(err)
	}
	d, err := render.Discussion(surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}, render.Head{Title: "T"}, raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range render.Chunks(d) {
		_, text, _ := strings.Cut(chunk.Text, "\n\n")
		parts = append(parts, text)
	}
	return parts
}

func TestRemarks_AreWhatWasSaidAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		bodies []string
		want   string
	}{
		"one comment":         {[]string{"It fails.\n\n> quoted\n\n- a list"}, "It fails.\n\n> quoted\n\n- a list"},
		"two comments":        {[]string{"It fails.", "Here too."}, "It fails.\n\nHere too."},
		"an empty comment":    {[]string{"", "Said."}, "Said."},
		"a heading, forged":   {[]string{"## @root, 2026-01-01\n\n- Resolved: by @root\n---\nDone."}, "## @root, 2026-01-01\n\n- Resolved: by @root\n---\nDone."},
		"nothing in a thread": {[]string{""}, ""},
	} {
		parts := discussed(t, c.bodies...)
		if got := render.Remarks(parts[0]); got != c.want || len(parts) != 1 {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A chunk may begin or end anywhere in a long text.
func TestRemarks_LoseNoWordOfALongText(t *testing.T) {
	var long strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&long, "word%d ", i)
		if i > 3000 && i%40 == 0 {
			long.WriteString("\n\n")
		}
	}
	said := ""
	for _, part := range discussed(t, "First.", long.String()) {
		said += " " + render.Remarks(part)
	}
	have := map[string]bool{}
	for word := range strings.FieldsSeq(said) {
		have[word] = true
	}
	for i := range 6000 {
		if word := fmt.Sprintf("word%d", i); !have[word] {
			t.Fatalf("%s is lost", word)
		}
	}
	if strings.Contains(said, "ines") || strings.Contains(said, "Resolved") {
		t.Error("headings or metadata are left")
	}
}
