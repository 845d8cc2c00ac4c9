package corpus

import (
	"strings"
	"testing"
	"time"
)

func TestHarbor_IsConsistent(t *testing.T) {
	entities, err := Harbor()
	if err != nil {
		t.Fatal(err)
	}
	byKey := map[string]Entity{}
	for _, e := range entities {
		if _, twice := byKey[e.Key()]; twice {
			t.Errorf("%s appears twice", e.Key())
		}
		byKey[e.Key()] = e
	}
	texts := map[string]string{}
	for _, e := range entities {
		if e.Description == "" || e.Author == "" || e.Path == "" || len(e.Labels) == 0 {
			t.Errorf("%s lacks a description, an author, a path or labels", e.Key())
		}
		if other := texts[e.Description]; other != "" {
			t.Errorf("%s has the same description as %s", e.Key(), other)
		}
		texts[e.Description] = e.Key()
		if of, ok := byKey[e.DuplicateOf]; e.DuplicateOf != "" && (!ok || of.Project != e.Project || of.IID >= e.IID) {
			t.Errorf("%s duplicates %q, want an older entity of its project", e.Key(), e.DuplicateOf)
		}
		inOrder(t, e)
	}
	if len(entities) < 280 {
		t.Errorf("%d entities, want some 300", len(entities))
	}
}

// inOrder checks that the notes follow the entity, and each other.
func inOrder(t *testing.T, e Entity) {
	last := e.CreatedAt
	for _, discussion := range e.Discussions {
		for _, note := range discussion {
			if note.CreatedAt.Before(last) || note.Body == "" || note.Author == "" {
				t.Errorf("%s has a note of %s by %q that is empty or out of order", e.Key(), note.CreatedAt.Format(time.RFC3339), note.Author)
			}
			last = note.CreatedAt
		}
	}
}

func TestRead_NamesTheLineOfAnError(t *testing.T) {
	const good = `{"project":1,"type":"issue","iid":7,"title":"A title"}`
	for name, line := range map[string]string{
		"not JSON": "{", "no iid": `{"project":1,"type":"issue","title":"x"}`,
		"another type": `{"project":1,"type":"epic","iid":1,"title":"x"}`, "no title": `{"project":1,"type":"issue","iid":1}`,
	} {
		_, err := Read(strings.NewReader(good + "\n\n" + line + "\n"))
		if err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	entities, err := Read(strings.NewReader(good + "\n\n" + good))
	if err != nil || len(entities) != 2 || entities[0].Key() != "1#issue#7" {
		t.Errorf("%v, error %v", entities, err)
	}
}
