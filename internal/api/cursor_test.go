package api

import (
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// A cursor leads back to its place in its own list and in no other, and only
// text that the API encoded is a cursor.
func FuzzCursor(f *testing.F) {
	for _, place := range []any{
		listPlace{Of: listName("runs", 1, ""), At: 1780000000000000, RunID: "wabc"},
		entityPlace{Entity: "1#issue#7", Revision: 3, Child: "discussion#6a9c", Document: "discussion#6a9c"},
		documentPlace{Of: listName("documents", 1, "issue#7"), Document: "entity"},
	} {
		text, err := encodeCursor(place)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, int64(1), "failed", int64(1780000000000000), "wabc", int64(2))
	}
	f.Add("", int64(0), "", int64(-1), "\xff", int64(1))
	f.Add("eyJsIjoicnVucyAxICIsInQiOjEsImkiOiJ3In0gIA", int64(1), " ", int64(0), "w", int64(11))       // spaces follow
	f.Add("eyJsIjoicnVucyAxICIsInQiOjEsImkiOiJ3In17fQ", int64(1), "issue#7", int64(0), "w", int64(11)) // an object follows
	f.Add("eyJMIjoicnVucyAxICIsInQiOjEsImkiOiJ3In0", int64(1), "", int64(0), "w", int64(11))           // another name
	f.Fuzz(func(t *testing.T, text string, project int64, filter string, at int64, runID string, other int64) {
		of, foreign := listName("runs", project, filter), listName("runs", other, filter)
		place := listPlace{Of: strings.ToValidUTF8(of, "?"), At: at, RunID: strings.ToValidUTF8(runID, "?")}
		cursor, err := encodeCursor(place)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeCursor(cursor, func(p listPlace) bool { return p.Of == place.Of }); err != nil || got != place {
			t.Fatalf("%+v came back as %+v, %v", place, got, err)
		}
		if from, err := listFrom(cursor, foreign); project != other && surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Fatalf("the cursor of %q is one of %q: %+v, %v", of, foreign, from, err)
		}
		for name, list := range map[string]string{"entity": listName("entity", project, filter), "documents": listName("documents", project, filter)} {
			if _, err := listFrom(cursor, list); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
				t.Fatalf("the cursor of a list of runs is one of %s: %v", name, err)
			}
		}
		onlyOwn[listPlace](t, text)
		onlyOwn[entityPlace](t, text)
		onlyOwn[documentPlace](t, text)
		onlyOwn[listPlace](t, cursor)
	})
}

// onlyOwn decodes any text: what is taken is exactly what is made of its place.
func onlyOwn[P any](t *testing.T, text string) {
	t.Helper()
	place, err := decodeCursor(text, func(P) bool { return true })
	if err != nil {
		if surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Fatalf("error = %v, want invalid_request", err)
		}
		return
	}
	if own, err := encodeCursor(place); err != nil || own != text {
		t.Fatalf("%q is taken for the cursor %q of %+v (%v)", text, own, place, err)
	}
}
