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

// embed stores embeddings of the document as it is, with new vectors.
func (w *world) embed(head surgical.Head, id string, chunks ...string) content.EmbeddingsWrite {
	w.Helper()
	read, err := w.Document(ctx(), head.Ref, id)
	w.must(err)
	write := content.EmbeddingsWrite{Document: read, Model: "m", Chunks: chunks, Fresh: map[string][]float32{}}
	for i, chunk := range chunks {
		write.Fresh[chunk] = []float32{float32(i), 0.5}
	}
	w.must(w.WriteEmbeddings(ctx(), head.Ref, write))
	return write
}

// vectors are the chunks that the document has vectors of.
func (w *world) vectors(ref surgical.EntityRef, id string) []string {
	w.Helper()
	vectors, err := w.Vectors(ctx(), ref, id)
	w.must(err)
	return slices.Sorted(maps.Keys(vectors))
}

func TestWriteEmbeddings_OfADocumentThatChangedWritesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		poke  map[string]any
		gone  bool
		moved bool
	}{
		"as it was read":    {nil, false, false},
		"another text":      {map[string]any{"hash": "other"}, false, true},
		"a newer revision":  {map[string]any{"revision": 2}, false, true},
		"an older revision": {map[string]any{"revision": 0}, false, true},
		"gone":              {nil, true, true},
	} {
		w := newWorld(t)
		ref := issue(1)
		head, _ := w.commit(ref, newIssue())
		w.write(head, document("a", "x"))
		read, err := w.Document(ctx(), ref, "a")
		w.must(err)
		if c.poke != nil {
			w.poke(ref, "doc#a", c.poke)
		}
		if c.gone {
			w.remove(ref, "doc#a")
		}
		fresh := map[string][]float32{"c1": {1, 2}}
		if err := w.PutVectors(ctx(), ref, read, "m", fresh, true); w.moved(err) != c.moved {
			t.Errorf("vectors of a document, %s: %v", name, err)
		}
		if err := w.WriteEmbeddings(ctx(), ref, content.EmbeddingsWrite{Document: read, Model: "m", Chunks: []string{"c1"}, Fresh: fresh}); w.moved(err) != c.moved {
			t.Errorf("embeddings of a document, %s: %v", name, err)
		}
		if got := w.vectors(ref, "a"); (len(got) == 0) != c.moved {
			t.Errorf("of a document, %s: vectors %v", name, got)
		}
	}
}

// Vectors of a document without embeddings leave some that are not current, and
// never replace any.
func TestPutVectors_LeavesATraceOfADocumentThatHasNoEmbeddings(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", "x"))
	read, err := w.Document(ctx(), ref, "a")
	w.must(err)
	w.must(w.PutVectors(ctx(), ref, read, "m", map[string][]float32{"c1": {1}}, false))
	embeddings, err := w.Embeddings(ctx(), ref, []string{"a"})
	w.must(err)
	w.same("embeddings", map[string]content.Embeddings{"a": {DocumentID: "a", Revision: 1, Model: "m", Chunks: []string{}}}, embeddings)
	if embeddings["a"].Current(head, read.Hash) {
		t.Error("embeddings without chunks are current")
	}
	if err := w.PutVectors(ctx(), ref, read, "m", map[string][]float32{"c2": {1}}, false); !w.moved(err) {
		t.Errorf("a document that has embeddings: %v", err)
	}
	w.must(w.PutVectors(ctx(), ref, read, "m", map[string][]float32{"c3": {1}}, true))
	w.same("vectors", []string{"c1", "c3"}, w.vectors(ref, "a"))
}

func TestWriteEmbeddings_ReplacesWhatIsNoLongerAmongTheChunks(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", "x"))
	first := w.embed(head, "a", "c1", "c2")
	stored, err := w.Vectors(ctx(), ref, "a")
	w.must(err)
	w.same("vectors", map[string]content.Vector{
		"c1": {Chunk: "c1", Revision: 1, Model: "m", Values: []float32{0, 0.5}},
		"c2": {Chunk: "c2", Revision: 1, Model: "m", Values: []float32{1, 0.5}},
	}, stored)
	w.must(w.WriteEmbeddings(ctx(), ref, content.EmbeddingsWrite{
		Document: first.Document, Model: "m2", Chunks: []string{"c3", "c1", "c3"}, Fresh: map[string][]float32{"c3": {3}}, Stored: stored,
	}))
	w.same("vectors after", []string{"c1", "c3"}, w.vectors(ref, "a"))
	embeddings, err := w.Embeddings(ctx(), ref, []string{"a", "none"})
	w.must(err)
	w.same("embeddings", map[string]content.Embeddings{"a": {
		DocumentID: "a", DocumentHash: first.Document.Hash, Revision: 1, Model: "m2", Chunks: []string{"c3", "c1", "c3"},
	}}, embeddings)
}

func TestWriteEmbeddings_SharesTransactionsAsFarAsTheyFit(t *testing.T) {
	for name, c := range map[string]struct {
		documents, chunks, floats int
		transactions              int
	}{
		"nothing":          {0, 0, 0, 0},
		"ten small ones":   {10, 3, 4, 1},
		"more than fit":    {30, 6, 4, 3},     // 8 items each
		"one that is long": {1, 150, 4, 2},    // even its vectors do not fit
		"large vectors":    {2, 60, 8192, 18}, // 66 write units each, 500 at most in a transaction
	} {
		w := newWorld(t)
		ref := issue(1)
		head, _ := w.commit(ref, newIssue())
		var writes []content.EmbeddingsWrite
		for i := range c.documents {
			id := fmt.Sprintf("d%02d", i)
			w.write(head, document(id, "x"))
			read, err := w.Document(ctx(), ref, id)
			w.must(err)
			write := content.EmbeddingsWrite{Document: read, Model: "m", Fresh: map[string][]float32{}}
			for n := range c.chunks {
				chunk := fmt.Sprintf("c%03d", n)
				write.Chunks, write.Fresh[chunk] = append(write.Chunks, chunk), make([]float32, c.floats)
			}
			writes = append(writes, write)
		}
		w.calls = nil
		w.must(w.WriteEmbeddings(ctx(), ref, writes...))
		if n := callsOf[*dynamodb.TransactWriteItemsInput](w); n != c.transactions {
			t.Errorf("%s: %d transactions, want %d", name, n, c.transactions)
		}
		for i := range c.documents {
			if got := len(w.vectors(ref, fmt.Sprintf("d%02d", i))); got != c.chunks {
				t.Errorf("%s: %d vectors of document %d", name, got, i)
			}
		}
	}
}

// What several transactions write may end between them.
func TestWriteEmbeddings_NeverNamesAVectorThatIsNotStored(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", "x"))
	read, err := w.Document(ctx(), ref, "a")
	w.must(err)
	write := content.EmbeddingsWrite{Document: read, Model: "m", Fresh: map[string][]float32{}}
	for n := range 250 {
		chunk := fmt.Sprintf("c%03d", n)
		write.Chunks, write.Fresh[chunk] = append(write.Chunks, chunk), []float32{1}
	}
	sent := 0
	w.around = func(input any, send func() (any, error)) (any, error) {
		answer, err := send()
		if _, ok := input.(*dynamodb.TransactWriteItemsInput); ok {
			sent++
			embeddings, readErr := w.Embeddings(ctx(), ref, []string{"a"})
			w.must(readErr)
			if chunks := embeddings["a"].Chunks; len(chunks) > len(w.vectors(ref, "a")) {
				t.Errorf("after transaction %d: %d chunks, %d vectors", sent, len(chunks), len(w.vectors(ref, "a")))
			}
		}
		return answer, err
	}
	w.must(w.WriteEmbeddings(ctx(), ref, write))
	if sent != 3 {
		t.Errorf("%d transactions, want 3", sent)
	}
}

func TestRemoveEmbeddings_OnlyWhileTheDocumentIsAbsent(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", "x"), document("ab", "y"))
	w.embed(head, "a", "c1", "c2")
	w.embed(head, "ab", "c1")
	if err := w.RemoveEmbeddings(ctx(), ref, "a"); !w.moved(err) {
		t.Error("embeddings of a document that is there were removed")
	}
	w.same("vectors", []string{"c1", "c2"}, w.vectors(ref, "a"))
	w.remove(ref, "doc#a")
	if err := w.RemoveEmbeddings(ctx(), ref, "a", "ab"); !w.moved(err) {
		t.Error("embeddings of two documents were removed although one is there")
	}
	w.same("vectors", []string{"c1"}, w.vectors(ref, "ab"))
	w.must(w.RemoveEmbeddings(ctx(), ref, "a"))
	w.must(w.RemoveEmbeddings(ctx(), ref, "a")) // nothing is left
	embedded, err := w.Embedded(ctx(), ref)
	w.must(err)
	w.same("embedded", map[string]bool{"ab": true}, embedded)
}

func TestEmbedded_ListsWhatAnyEmbeddingsOrVectorsAreStoredFor(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("entity", "x"), document("discussion#d1", "y"), document("discussion#d2", "z"))
	w.embed(head, "discussion#d1", "c1")
	read, err := w.Document(ctx(), ref, "discussion#d2")
	w.must(err)
	w.must(w.PutVectors(ctx(), ref, read, "m", map[string][]float32{"c1": {1}}, true))
	w.must(w.PutVectors(ctx(), ref, read, "m", nil, true))
	embedded, err := w.Embedded(ctx(), ref)
	w.must(err)
	w.same("embedded", map[string]bool{"discussion#d1": true, "discussion#d2": true}, embedded)
}

func TestEmbeddingsCurrent(t *testing.T) {
	e := content.Embeddings{DocumentHash: "h", Revision: 5}
	for _, c := range []struct {
		hash        string
		visibleFrom int64
		want        bool
	}{{"h", 0, true}, {"h", 5, true}, {"h", 6, false}, {"other", 0, false}, {"other", 6, false}} {
		if got := e.Current(surgical.Head{DocumentsVisibleFrom: c.visibleFrom}, c.hash); got != c.want {
			t.Errorf("hash %s, visible from %d: %v", c.hash, c.visibleFrom, got)
		}
	}
}

func TestPutVectors_AndReadThemBack(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	w.write(head, document("a", "x"))
	read, err := w.Document(ctx(), ref, "a")
	w.must(err)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Float32(), 1, 64).Draw(t, "vector")
		w.must(w.PutVectors(ctx(), ref, read, "m", map[string][]float32{"c": want}, true))
		got, err := w.Vectors(ctx(), ref, "a")
		w.must(err)
		if !slices.Equal(want, got["c"].Values) {
			t.Fatalf("read %v, want %v", got["c"].Values, want)
		}
	})
}

func TestRemoveHidden_RemovesOnlyWhatIsOlderThanTheHidingRevision(t *testing.T) {
	for name, c := range map[string]struct {
		poke map[string]any
		gone bool
	}{
		"nothing":                 {nil, true},
		"a revision below":        {map[string]any{"revision": 4}, true},
		"the revision that hides": {map[string]any{"revision": 5}, false},
		"a newer revision":        {map[string]any{"revision": 6}, false},
	} {
		w := newWorld(t)
		ref := issue(1)
		head, _ := w.commit(ref, newIssue())
		w.write(head, document("a", noise(650_000)))
		w.embed(head, "a", "c1")
		pieces, _ := w.keys(ref, "docpiece#")
		segment := "doctext#a#r0.d1.1.0#000" // of an earlier version
		w.copyItem(ref, pieces[0], segment)
		hidden := append([]string{"doc#a", "emb#a", "vec#a#c1", segment}, pieces...)
		head.DocumentsVisibleFrom = 5
		// Another process may write between the listing and the removal.
		w.around = func(input any, send func() (any, error)) (any, error) {
			if in, ok := input.(*dynamodb.DeleteItemInput); ok && c.poke != nil {
				var sk string
				for _, k := range hidden {
					if sameString(in.Key, key(ref, k), "sk") {
						sk = k
					}
				}
				w.mu.Lock()
				w.poke(ref, sk, c.poke)
				w.mu.Unlock()
			}
			return send()
		}
		all, err := w.RemoveHidden(ctx(), head, func() bool { return true })
		if err != nil || !all {
			t.Errorf("in the meantime %s: all removed %v, %v", name, all, err)
		}
		for _, sk := range hidden {
			if gone := w.item(ref, sk) == nil; gone != c.gone {
				t.Errorf("in the meantime %s: %s is gone: %v", name, sk, gone)
			}
		}
		if staying, _ := w.keys(ref, "child#"); len(staying) != 3 {
			t.Errorf("in the meantime %s: of the children only %v are left", name, staying)
		}
	}
}

func TestRemoveHidden_LeavesWhatIsVisibleAndStopsWhenToldTo(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	var old []surgical.Document
	for i := range 400 {
		old = append(old, document(fmt.Sprintf("d%03d", i), "x"))
	}
	w.write(head, old...)
	head, _ = w.commit(ref, newIssue().with("confidential", true))
	w.write(head, document("entity", "visible"))
	rounds := 0
	all, err := w.RemoveHidden(ctx(), head, func() bool { rounds++; return rounds <= 2 })
	w.must(err)
	if left := len(w.ids(ref)); all || left != 401-320 {
		t.Errorf("after two rounds: all removed %v, %d documents left", all, left)
	}
	all, err = w.RemoveHidden(ctx(), head, func() bool { return true })
	if w.must(err); !all {
		t.Error("not all removed")
	}
	w.same("documents", []string{"entity"}, w.ids(ref))
	// With nothing to remove, more is not called.
	if all, err := w.RemoveHidden(ctx(), head, func() bool { return false }); err != nil || !all {
		t.Errorf("with nothing hidden: %v, %v", all, err)
	}
}

func TestDocumentKeys_OfIDsThatBeginAlike(t *testing.T) {
	w := newWorld(t)
	head, _ := w.commit(issue(1), newIssue())
	for _, id := range []string{"discussion#a", "discussion#ab", "discussion#a#b"} {
		w.write(head, document(id, strings.ToUpper(id)))
		w.embed(head, id, "c")
	}
	got, err := w.Vectors(ctx(), issue(1), "discussion#ab")
	if w.must(err); len(got) != 1 {
		t.Errorf("vectors of one document: %v", got)
	}
}
