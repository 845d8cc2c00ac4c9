package content_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestChangedBy_TellsWhatReadersSeeChange(t *testing.T) {
	const entity = "P#1#issue#7"
	for name, c := range map[string]struct {
		pk, sk, document string
		ok               bool
	}{
		"the head":               {entity, "head", "", true},
		"the entity's document":  {entity, "doc#entity", "entity", true},
		"a discussion":           {entity, "doc#discussion#6a9c", "discussion#6a9c", true},
		"an embedding":           {entity, "emb#discussion#6a9c", "discussion#6a9c", true},
		"a vector":               {entity, "vec#entity#3f", "", false},
		"a child":                {entity, "child#note#1#run.1#ff", "", false},
		"a document without id":  {entity, "doc#", "", false},
		"another kind of row":    {"beat", "head", "", false},
		"an entity of odd name":  {"P#1#epic#7", "head", "", false},
		"an entity with no name": {"P#", "head", "", false},
	} {
		ref, document, ok := content.ChangedBy(c.pk, c.sk)
		if ok != c.ok || document != c.document {
			t.Errorf("%s: got %q, %v", name, document, ok)
		}
		if want := (surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}); ok && ref != want {
			t.Errorf("%s: of %s", name, ref)
		}
	}
}
