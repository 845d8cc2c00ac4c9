package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestEntity_CutsALongDocumentVisibly(t *testing.T) {
	around := 0                                            // what the document has besides the description
	for _, excess := range []int{0, -1, 0, 1, 8_500_000} { // the first measures
		description := strings.Repeat("é", max(0, surgical.MaxDocument-around+excess))
		if around == 0 {
			description = "é"
		}
		d, err := Entity(issue7, json.RawMessage(`{"title":"Long","labels":["a"]}`), description)
		if err != nil {
			t.Fatal(err)
		}
		if around == 0 {
			around = utf8.RuneCountInString(d.Text) - 1
			continue
		}
		told := fmt.Sprintf("%d of %d characters are shown", surgical.MaxDocument, surgical.MaxDocument+excess)
		if excess <= 0 {
			if d.LeftOut != nil || !strings.HasSuffix(d.Text, "é\n") {
				t.Errorf("%d below the limit: %v", -excess, d.LeftOut)
			}
			continue
		}
		if len(d.LeftOut) != 1 || !strings.Contains(d.LeftOut[0], told) || !strings.HasSuffix(d.Text, "This document is cut: "+told+".\n") {
			t.Errorf("%d beyond the limit: %v, ends with %q", excess, d.LeftOut, d.Text[len(d.Text)-80:])
		}
		if !utf8.ValidString(d.Text) {
			t.Error("a character is cut in two")
		}
	}
}

// The hashes of a document's chunks are one item: even of the shortest chunks,
// they must fit.
func TestChunks_OfTheLongestDocumentFitOneItem(t *testing.T) {
	const hash, overhead = 64 + 1, 2 << 10
	if most := surgical.MaxDocument/minBody*hash + overhead; most > surgical.MaxItemBytes {
		t.Errorf("the hashes may take %d bytes", most)
	}
	d := sealed(surgical.Document{ID: "entity", Text: strings.Repeat(strings.Repeat("x", minBody-2)+"\n\n", 3*surgical.MaxDocument/minBody)})
	if n := len(Chunks(d)); n*hash+overhead > surgical.MaxItemBytes {
		t.Errorf("%d chunks take %d bytes", n, n*hash)
	}
}
