package content_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func document(id, text string) surgical.Document {
	return surgical.Document{ID: id, Title: "T", URL: "https://gitlab.example.com/#" + id, Text: text, Hash: fmt.Sprintf("hash of %.20s, %d", text, len(text))}
}

// write writes documents under the head, over whatever is stored.
func (w *world) write(head surgical.Head, documents ...surgical.Document) {
	w.Helper()
	w.must(w.WriteDocuments(ctx(), head, content.TextToken("t", head.Revision, head.Revision, 0), documents, w.stored(head.Ref, documents...)))
}

// stored are the stored ones of these documents.
func (w *world) stored(ref surgical.EntityRef, documents ...surgical.Document) map[string]content.Document {
	w.Helper()
	var ids []string
	for _, d := range documents {
		ids = append(ids, d.ID)
	}
	stored, err := w.SomeDocuments(ctx(), ref, ids)
	w.must(err)
	return stored
}

// ids are the stored documents, of which none must be missing a text.
func (w *world) ids(ref surgical.EntityRef) (ids []string) {
	w.Helper()
	list, err := w.Documents(ctx(), ref)
	w.must(err)
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestWriteDocuments_UnderAHeadThatMovedWritesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		revision int64
		moved    bool
	}{"the same head": {2, false}, "a newer head": {3, true}, "an older head": {1, true}} {
		w := newWorld(t)
		ref := issue(1)
		w.commit(ref, newIssue())
		head, _ := w.commit(ref, newIssue().with("title", "U"))
		w.write(head, document("gone", "x"))
		replaced := w.stored(ref, document("gone", ""))
		w.poke(ref, "head", map[string]any{"revision": c.revision})
		err := w.WriteDocuments(ctx(), head, "t.d1", []surgical.Document{document("entity", "new")}, replaced)
		if w.moved(err) != c.moved {
			t.Errorf("under %s: %v", name, err)
		}
		want := []string{"entity"}
		if c.moved {
			want = []string{"gone"}
		}
		w.same("documents under "+name, want, w.ids(ref))
	}
}

// An overtaken docs job must not overwrite what a newer one wrote.
func TestWriteDocuments_OverADocumentThatIsNotTheOneReadWritesNothing(t *testing.T) {
	long := noise(700_000)
	for name, c := range map[string]struct {
		before []surgical.Document // what was read
		poke   map[string]any      // what happened then
		moved  bool
	}{
		"as it was read":   {[]surgical.Document{document("a", "x")}, nil, false},
		"another text":     {[]surgical.Document{document("a", "x")}, map[string]any{"hash": "other"}, true},
		"another revision": {[]surgical.Document{document("a", "x")}, map[string]any{"revision": 7}, true},
		"a long text where there was a short one": {[]surgical.Document{document("a", "x")}, map[string]any{"token": "t.d9"}, true},
		"a long text as it was read":              {[]surgical.Document{document("a", long)}, nil, false},
		"other segments":                          {[]surgical.Document{document("a", long)}, map[string]any{"token": "t.d9"}, true},
		"absent as it was read":                   {nil, nil, false},
		"written since":                           {nil, map[string]any{"hash": "h"}, true},
	} {
		for _, way := range []string{"overwrite", "delete"} {
			if way == "delete" && c.before == nil {
				continue
			}
			w := newWorld(t)
			ref := issue(1)
			head, _ := w.commit(ref, newIssue())
			w.write(head, c.before...)
			replaced := w.stored(ref, c.before...)
			if c.poke != nil {
				if c.before == nil {
					w.write(head, document("a", "since"))
				}
				w.poke(ref, "doc#a", c.poke)
			}
			puts := []surgical.Document{document("a", "new")}
			if way == "delete" {
				puts = nil
			}
			before := w.item(ref, "doc#a")
			if err := w.WriteDocuments(ctx(), head, "t.d5", puts, replaced); w.moved(err) != c.moved {
				t.Errorf("%s of a document: %s: %v", way, name, err)
			}
			if after := w.item(ref, "doc#a"); c.moved {
				w.same(way+" of a document: "+name, before, after)
			}
		}
	}
}

func TestWriteDocuments_DeletesADocumentWithItsEmbeddings(t *testing.T) {
	w := newWorld(t)
	head, _ := w.commit(issue(1), newIssue())
	w.write(head, document("a", "x"), document("b", "y"))
	w.embed(head, "a", "c1")
	w.embed(head, "b", "c1")
	w.must(w.WriteDocuments(ctx(), head, "t.d1", nil, w.stored(issue(1), document("a", ""))))
	w.same("documents", []string{"b"}, w.ids(issue(1)))
	embeddings, err := w.Embeddings(ctx(), issue(1), []string{"a", "b"})
	w.must(err)
	w.same("embeddings", []string{"b"}, slices.Collect(maps.Keys(embeddings)))
}

func TestWriteDocuments_OfManyUsesSeveralTransactions(t *testing.T) {
	w := newWorld(t)
	head, _ := w.commit(issue(1), newIssue())
	var many []surgical.Document
	for i := range 150 {
		many = append(many, document(fmt.Sprintf("d%03d", i), strings.Repeat("x", 40_000))) // 6 MB in all
	}
	w.calls = nil
	w.write(head, many...)
	// 80 write units each, 500 at most in a transaction.
	if n := callsOf[*dynamodb.TransactWriteItemsInput](w); n != 150/6 {
		t.Errorf("%d transactions", n)
	}
	for _, call := range w.calls {
		if in, ok := call.(*dynamodb.TransactWriteItemsInput); ok && in.TransactItems[0].ConditionCheck == nil {
			t.Error("a transaction without the check of the head")
		}
	}
	if got := w.ids(issue(1)); len(got) != 150 || !slices.IsSorted(got) {
		t.Errorf("%d documents are stored", len(got))
	}
	w.calls = nil
	w.must(w.WriteDocuments(ctx(), head, "t.d2", nil, w.stored(issue(1), many...)))
	if got := w.ids(issue(1)); len(got) > 0 {
		t.Errorf("%d documents are left", len(got))
	}
}

func TestDocument_OfALongTextJoinsItsPieces(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	long, longer := document("a", noise(800_000)), document("a", noise(1_200_000))
	w.write(head, long)
	got, err := w.Document(ctx(), ref, "a")
	w.must(err)
	w.same("a long document", long, got.Document)
	if stored := w.stored(ref, long)["a"]; !stored.Long() || stored.Text != "" || got.Revision != 1 {
		t.Errorf("long: %v, %d bytes in the document's item, revision %d", stored.Long(), len(stored.Text), got.Revision)
	}
	head, _ = w.commit(ref, newIssue().with("title", "U"))
	w.write(head, longer)
	// The longer text begins with the shorter one.
	if staying, expiring := w.keys(ref, "docpiece#"); len(staying) < 60 || len(expiring) != 1 {
		t.Errorf("of the pieces, %d stay and %v expire", len(staying), expiring)
	}
	w.expire(ref)
	got, err = w.Document(ctx(), ref, "a")
	w.must(err)
	w.same("a longer document", longer, got.Document)
	w.must(w.WriteDocuments(ctx(), head, "t.d3", nil, w.stored(ref, long)))
	if staying, _ := w.keys(ref, "docpiece#"); len(staying) > 0 {
		t.Errorf("the pieces %v of a deleted document stay", staying)
	}
	if none, err := w.Document(ctx(), ref, "a"); err != nil || none.Revision != 0 {
		t.Errorf("a document that is gone: %+v, %v", none, err)
	}
}

func TestDocument_BeginsAgainWhenItsPiecesExpire(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", noise(700_000)))
	reads := 0
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.BatchGetItemInput); ok {
			if reads++; reads == 2 { // the pieces, after their document
				w.around = nil
				head, _ := w.commit(ref, newIssue().with("title", "U"))
				w.write(head, document("a", "short"))
				w.expire(ref)
			}
		}
		return send()
	}
	got, err := w.Document(ctx(), ref, "a")
	if err != nil || got.Text != "short" {
		t.Errorf("%d bytes, %v", len(got.Text), err)
	}
	w.write(head0(w, ref), document("a", noise(700_000)))
	staying, _ := w.keys(ref, "docpiece#")
	w.remove(ref, staying[0])
	w.calls = nil
	if got, err := w.Document(ctx(), ref, "a"); err == nil {
		t.Errorf("a document without one of its pieces was read: %d bytes", len(got.Text))
	}
	if n := callsOf[*dynamodb.BatchGetItemInput](w); n != 6 {
		t.Errorf("%d reads, want 3 times 2", n)
	}
}

func head0(w *world, ref surgical.EntityRef) surgical.Head {
	w.Helper()
	head, err := w.Head(ctx(), ref)
	w.must(err)
	return head
}

func TestDocumentsAfter_PagesThroughEverythingInOrder(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	want := map[string]string{}
	var all []surgical.Document
	for i := range 120 {
		d := document(fmt.Sprintf("d%03d", i), fmt.Sprint("text ", i))
		if i%50 == 49 {
			d = document(d.ID, noise(650_000))
		}
		all, want[d.ID] = append(all, d), d.Text
	}
	w.write(head, all...)
	from := func(id string, most int) map[string]string {
		t.Helper()
		got, last := map[string]string{}, id
		for d, err := range w.DocumentsAfter(ctx(), ref, id) {
			w.must(err)
			if d.ID <= last {
				t.Errorf("%s comes after %s", d.ID, last)
			}
			if got[d.ID], last = d.Text, d.ID; len(got) == most {
				break
			}
		}
		return got
	}
	w.calls = nil
	w.same("all documents", want, from("", 1000))
	if n := callsOf[*dynamodb.QueryInput](w); n != 3 {
		t.Errorf("120 documents in %d queries, want 3", n)
	}
	w.calls = nil
	if got := from("", 10); len(got) != 10 || callsOf[*dynamodb.QueryInput](w) != 1 {
		t.Errorf("the first 10: %d in %d queries", len(got), callsOf[*dynamodb.QueryInput](w))
	}
	for _, after := range []string{"d099", "d0995"} {
		if got := from(after, 1000); len(got) != 20 || got["d100"] == "" {
			t.Errorf("after %s: %d documents", after, len(got))
		}
	}
	// A long document that is deleted after it was listed is left out.
	beforeFirst[*dynamodb.BatchGetItemInput](w, func() {
		w.must(w.WriteDocuments(ctx(), head, "t.d9", nil, w.stored(ref, document("d049", ""))))
	})
	delete(want, "d049")
	w.same("all documents but the one that went", want, from("", 1000))
}

// Texts of every size are read back as they were written.
func TestWriteDocuments_AndReadThemBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		head, _ := w.commit(issue(1), newIssue())
		text := rapid.String().Draw(t, "text")
		if rapid.Bool().Draw(t, "long") {
			text = noise(rapid.IntRange(0, 700_000).Draw(t, "size")) + text
		}
		want := surgical.Document{
			ID: rapid.StringMatching(`discussion#[a-z0-9]{1,40}`).Draw(t, "id"), Title: rapid.String().Draw(t, "title"),
			URL: rapid.String().Draw(t, "url"), Confidential: rapid.Bool().Draw(t, "confidential"), Text: text, Hash: "h",
		}
		w.write(head, want)
		got, err := w.Document(ctx(), issue(1), want.ID)
		w.must(err)
		w.same("a document", want, got.Document)
	})
}
