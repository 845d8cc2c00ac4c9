package content_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// edits are one-character changes of a long text, by what they are.
func edits(text string) map[string]string {
	edited := map[string]string{}
	for place, at := range map[string]int{"at the start": 3, "in the middle": len(text) / 2, "at the end": len(text) - 4} {
		at = boundary(text, at)
		after := boundary(text, at+1)
		edited["an insertion "+place] = text[:at] + "x" + text[at:]
		edited["a replacement "+place] = text[:at] + "x" + text[after:]
		edited["a deletion "+place] = text[:at] + text[after:]
	}
	return edited
}

// boundary is where the first character at or after the offset begins.
func boundary(text string, at int) int {
	for at < len(text) && text[at]&0xC0 == 0x80 {
		at++
	}
	return at
}

// unitsOf is what writing these items once costs.
func (w *world) unitsOf(ref surgical.EntityRef, sks []string) (units int) {
	w.Helper()
	for _, sk := range sks {
		out, err := w.raw.GetItem(ctx(), &dynamodb.GetItemInput{TableName: new(w.Table()), Key: key(ref, sk)})
		w.must(err)
		units += dynamo.WriteUnits(dynamo.ItemSize(out.Item))
	}
	return units
}

// maxEdit is what an edit may cost in pieces: at most three change, of 12 KB on
// average. The whole text costs more than 1,000 units.
const maxEdit = 100

func TestPrepare_AnEditOfALongCommentCostsInProportion(t *testing.T) {
	text := noise(1 << 20)
	for name, edited := range edits(text) {
		w := newWorld(t)
		ref := issue(1)
		before := newIssue().and("discussion#d1", note("d1", text))
		_, first := w.commit(ref, before)
		if first.WriteUnits() < 1000 {
			t.Fatalf("the whole text costs %d units: it is no test", first.WriteUnits())
		}
		after := before.and("discussion#d1", note("d1", edited))
		_, change := w.commit(ref, after)
		_, expiring := w.keys(ref, "")
		if units := w.unitsOf(ref, expiring); change.WriteUnits() > maxEdit || units > maxEdit {
			t.Errorf("%s costs %d units to commit and %d to expire what it replaces", name, change.WriteUnits(), units)
		}
		w.expire(ref)
		w.shows(ref, w.snapshot(ref, after))
	}
}

func TestWriteDocuments_AnEditOfALongTextCostsInProportion(t *testing.T) {
	text := noise(1 << 20)
	for name, edited := range edits(text) {
		w := newWorld(t)
		ref := issue(1)
		head, _ := w.commit(ref, newIssue())
		w.write(head, document("a", text))
		before, _ := w.keys(ref, "doc")
		head, _ = w.commit(ref, newIssue().with("title", "U"))
		after := document("a", edited)
		after.Hash = "hash of " + name
		w.write(head, after)
		staying, expiring := w.keys(ref, "doc")
		fresh := slices.DeleteFunc(staying, func(sk string) bool { return slices.Contains(before, sk) })
		if written, expired := w.unitsOf(ref, fresh)+2*w.unitsOf(ref, []string{"doc#a"}), w.unitsOf(ref, expiring); written > maxEdit || expired > maxEdit {
			t.Errorf("%s costs %d units to write and %d to expire what it replaces", name, written, expired)
		}
		w.expire(ref)
		got, err := w.Document(ctx(), ref, "a")
		w.must(err)
		w.same("the document after "+name, after, got.Document)
	}
}

// Whatever is edited, lost and swept: what a head names never expires, and what
// none names always does.
func TestRead_OfLongTextsGivesBackExactlyWhatWasCommitted(t *testing.T) {
	source := noise(90_000)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		ref := issue(1)
		g := newIssue()
		if rapid.Bool().Draw(t, "in parts") {
			g = large("short")
		}
		w.commit(ref, g)
		shown := w.snapshot(ref, g)
		texts := map[string]string{"d1": "", "d2": "", "d3": ""}
		for i := range rapid.IntRange(2, 6).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"d1", "d2", "d3"}).Draw(t, "id")
			texts[id] = edit(t, source, texts[id])
			next := g.and("discussion#"+id, note(id, texts[id]))
			switch rapid.SampledFrom([]string{"commit", "commit", "lost", "swept while it is committed"}).Draw(t, "step") {
			case "commit":
				g = next
				w.commit(ref, g)
				shown = w.snapshot(ref, g)
			case "lost":
				w.now = w.now.Add(surgical.Confirmation)
				w.must(w.StageChildren(ctx(), []*content.Change{w.prepare(ref, next, attempt("lost", int64(i+1)))}))
				_, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded)
				w.must(err)
			default:
				at, calls := rapid.IntRange(1, 8).Draw(t, "call"), 0
				w.around = func(_ any, send func() (any, error)) (any, error) {
					if calls++; calls == at {
						w.around = nil
						g = next
						w.commit(ref, g)
						shown = w.snapshot(ref, g)
					}
					return send()
				}
				// The sweep may find a list expired, and fails then.
				_, _ = w.ExpireOrphans(ctx(), ref, everyAttemptEnded)
				w.around = nil
			}
			w.expire(ref)
			w.shows(ref, shown)
			if orphans, err := w.Orphans(ctx(), ref); err != nil || len(orphans) > 0 {
				t.Fatalf("named by nothing, and not expiring: %v, %v", orphans, err)
			}
		}
	})
}

// edit changes a text somewhere; it becomes long or short.
func edit(t *rapid.T, source, text string) string {
	switch rapid.SampledFrom([]string{"new", "short", "insert", "cut", "twice"}).Draw(t, "edit") {
	case "short":
		return text[:boundary(text, min(len(text), 100))]
	case "insert":
		at := boundary(text, rapid.IntRange(0, len(text)).Draw(t, "at"))
		return text[:at] + "edited" + text[at:]
	case "cut":
		at := boundary(text, rapid.IntRange(0, len(text)).Draw(t, "at"))
		return text[:at] + text[boundary(text, min(len(text), at+1000)):]
	case "twice":
		if len(text) < 100_000 {
			return text + text
		}
	}
	at := boundary(source, rapid.IntRange(0, len(source)).Draw(t, "from"))
	return source[at:]
}

// A reader of the version before fails: it looks for segments that do not exist.
// Its sweeper finds no piece, so it expires none.
func TestPrepare_StoresALongChildSoThatEarlierVersionsFailToReadIt(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue().with("description", noise(1<<20)))
	w.write(head, document("a", noise(1<<20)))
	entry := w.item(ref, "head")["children"].(map[string]any)["entries"].(map[string]any)["description#0"].([]any)
	if len(entry) != 4 || entry[2] != 1000.0 || entry[3] != 0.0 {
		t.Errorf("the manifest's entry of a long child is %v", entry)
	}
	if document := w.item(ref, "doc#a"); document["segments"] != 1000.0 || document["token"] == nil || document["text"] != nil {
		t.Errorf("a long document has the segments %v, the token %v and the text %v", document["segments"], document["token"], document["text"])
	}
	for _, prefix := range []string{"child#description#", "doctext#"} {
		if staying, expiring := w.keys(ref, prefix); len(staying)+len(expiring) > 0 {
			t.Errorf("an earlier version finds %v %v", staying, expiring)
		}
	}
}

// segments stores a long text as earlier versions did: compressed as a whole, in
// segments of 350 KB.
func (w *world) segments(ref surgical.EntityRef, text string, sk func(segment int) string, attributes map[string]any) (n int) {
	w.Helper()
	encoder, err := zstd.NewWriter(nil)
	w.must(err)
	for segment := range slices.Chunk(encoder.EncodeAll([]byte(text), nil), 350<<10) {
		item := key(ref, sk(n))
		item["zstd"] = &types.AttributeValueMemberB{Value: segment}
		w.must(dynamo.PutAll(ctx(), w.raw, w.Table(), []dynamo.Item{item}))
		w.poke(ref, sk(n), attributes)
		n++
	}
	return n
}

func TestRead_OfLongTextsOfEarlierVersions(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	text := noise(1 << 20)
	g := newIssue().with("description", text)
	head, _ := w.commit(ref, g)
	w.write(head, document("a", text))

	raw, err := json.Marshal(text)
	w.must(err)
	n := w.segments(ref, string(raw), func(i int) string { return fmt.Sprintf("child#description#0#r1.1#%03d", i) }, nil)
	stored, err := w.raw.GetItem(ctx(), &dynamodb.GetItemInput{TableName: new(w.Table()), Key: key(ref, "head")})
	w.must(err)
	entries := stored.Item["children"].(*types.AttributeValueMemberM).Value["entries"].(*types.AttributeValueMemberM).Value
	entries["description#0"].(*types.AttributeValueMemberL).Value[2] = &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
	w.must(dynamo.PutAll(ctx(), w.raw, w.Table(), []dynamo.Item{stored.Item}))
	n = w.segments(ref, text, func(i int) string { return fmt.Sprintf("doctext#a#t.d1.1.0#%03d", i) }, map[string]any{"revision": 1})
	w.poke(ref, "doc#a", map[string]any{"token": "t.d1.1.0", "segments": n, "pieces": nil})
	pieces, _ := w.keys(ref, "piece#")
	docPieces, _ := w.keys(ref, "docpiece#")
	w.remove(ref, append(pieces, docPieces...)...)
	if orphans, err := w.Orphans(ctx(), ref); err != nil || len(orphans) > 0 || n < 3 {
		t.Fatalf("of %d segments, %v are orphans, %v", n, orphans, err)
	}

	shows := func(g gitlab, text string) {
		w.shows(ref, w.snapshot(ref, g))
		view, err := w.View(ctx(), ref, nil)
		w.must(err)
		_, children, err := view.Batch(ctx(), nil, []string{"description#0"})
		w.must(err)
		raw, _, err := children.Child(ctx(), "description#0")
		w.must(err)
		if want, _ := json.Marshal(text); !bytes.Equal(raw, want) {
			t.Errorf("a description of %d bytes was read, want %d", len(raw), len(want))
		}
		if got, err := w.Document(ctx(), ref, "a"); err != nil || got.Text != text {
			t.Errorf("a document of %d bytes was read, %v; want %d", len(got.Text), err, len(text))
		}
	}
	shows(g, text)
	head, _ = w.commit(ref, g.with("title", "U")) // carries the segments over
	w.write(head, document("b", ""))
	shows(g.with("title", "U"), text)
	head, _ = w.commit(ref, g.with("description", text+"x"))
	w.write(head, document("a", text+"x"))
	w.expire(ref)
	shows(g.with("description", text+"x"), text+"x")
	for _, prefix := range []string{"child#description#", "doctext#"} {
		if staying, _ := w.keys(ref, prefix); len(staying) > 0 {
			t.Errorf("the segments %v stay", staying)
		}
	}
}

// A list that is missing says nothing about its pieces: they must not expire.
func TestExpireOrphans_TakesNothingIfAListOfPiecesIsMissing(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.commit(ref, newIssue().with("description", noise(200_000)))
	w.remove(ref, "piece#description#0#r1.1#list")
	if n, err := w.ExpireOrphans(ctx(), ref, everyAttemptEnded); err == nil || n != 0 {
		t.Errorf("%d items expire, %v", n, err)
	}
	if _, expiring := w.keys(ref, ""); len(expiring) > 0 {
		t.Errorf("%v expire", expiring)
	}
	for name, read := range map[string]func() error{
		"Read": func() error { _, err := w.Read(ctx(), ref); return err },
		"Prepare": func() error {
			_, _, err := w.Prepare(ctx(), w.snapshot(ref, newIssue()), attempt("r9", 1), nil)
			return err
		},
	} {
		w.now = w.now.Add(surgical.Confirmation)
		if err := read(); err == nil {
			t.Errorf("%s reads a text without the list of its pieces", name)
		}
	}
}

// Nothing brings the items back, so trying again for hours would be in vain; unless the
// head that names them was replaced in the meantime, which is why they are gone.
func TestPrepare_FailsForGoodIfItemsOfTheNewestRevisionAreMissing(t *testing.T) {
	const list = "piece#description#0#r1.1#list"
	for name, c := range map[string]struct {
		replaced, retryable bool
	}{
		"the head is the newest":     {false, false},
		"the head has been replaced": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ref := issue(1)
			g := newIssue().with("description", noise(200_000))
			w.commit(ref, g)
			items, err := dynamo.GetTogether(ctx(), w.raw, w.HeadLookup(ref))
			w.must(err)
			base, err := content.BaseOf(ref, items[0])
			w.must(err)
			if c.replaced {
				w.commit(ref, g.with("title", "Another title"))
			}
			w.remove(ref, list)
			w.now = w.now.Add(surgical.Confirmation)
			_, _, err = w.Prepare(ctx(), w.snapshot(ref, g.with("description", "short")), attempt("r9", 1), base)
			if err == nil {
				t.Fatal("a text is replaced without the list of its pieces")
			}
			e := surgical.AsError(err)
			if e.Retryable != c.retryable || !c.retryable && e.Code != surgical.CodeIngestFailed {
				t.Errorf("%s, retryable: %v", e.Code, e.Retryable)
			}
		})
	}
}

// Hidden pieces are removed with their document, so a visible document cannot use
// them again.
func TestWriteDocuments_UsesNoPieceOfAHiddenDocument(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	text := noise(200_000)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", text))
	head, _ = w.commit(ref, newIssue().with("title", "U"))
	w.write(head, document("a", text+"1")) // some of its pieces are of the first revision
	head, _ = w.commit(ref, newIssue().with("confidential", true))
	confidential := document("a", text+"2")
	w.write(head, confidential)
	if done, err := w.RemoveHidden(ctx(), head, func() bool { return true }); !done || err != nil {
		t.Fatalf("done %v, %v", done, err)
	}
	got, err := w.Document(ctx(), ref, "a")
	if err != nil || got.Text != confidential.Text {
		t.Errorf("%d bytes, %v", len(got.Text), err)
	}
	staying, expiring := w.keys(ref, "docpiece#")
	for _, sk := range append(staying, expiring...) {
		if !strings.Contains(sk, "#"+content.TextToken("t", head.Revision, head.Revision, 0)+"#") {
			t.Errorf("the hidden piece %s is still stored", sk)
		}
	}
}
