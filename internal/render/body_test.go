package render_test

import (
	"encoding/json"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestBody_IsWhatFollowsTheMetadata(t *testing.T) {
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	for description, want := range map[string]string{"It fails.\n---\nAlways.": "It fails.\n---\nAlways.", "": ""} {
		d, err := render.Entity(ref, json.RawMessage(`{"title":"A\n---\nB","labels":["---"]}`), description)
		if err != nil {
			t.Fatal(err)
		}
		if got := render.Body(d.Text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := render.Body("The second part of a text."); got != "The second part of a text." {
		t.Errorf("other text: %q", got)
	}
}
