package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// A later page looks at more candidates. If that changed the order of those before, it
// would repeat some hits and leave out others.
func TestSearch_RanksTheFirstAlikeHoweverMuchIsLookedAt(t *testing.T) {
	w := newWorld(t)
	w.Model = "two-things"
	random := rand.New(rand.NewPCG(13, 7))
	var changes []search.Change
	for n, words := range random.Perm(400) {
		change := w.Embedded(searchtest.Entity(int64(n+1), "cat"+strings.Repeat(" noise", words)))
		change.Put[0].Vectors[0] = []float32{1, random.Float32()}
		changes = append(changes, change)
	}
	e := w.Engine()
	w.Rebuild(e, changes...)
	before := []string{}
	for _, depth := range []int{10, 100, 200, 250, 400} {
		found, err := e.Search(t.Context(), search.Query{Text: "cat"}, depth)
		w.Must(err)
		if len(found.Found) != depth || found.Mode != search.Hybrid {
			t.Fatalf("%d of %d chunks were found, %s", len(found.Found), depth, found.Mode)
		}
		var ids []string
		for _, c := range found.Found {
			ids = append(ids, search.ChunkID(c.Ref, c.Document, c.Chunk))
		}
		w.Same(fmt.Sprintf("the first of %d", depth), before, ids[:len(before)])
		before = ids[:min(depth, 100)]
	}
}

// Of what has words in common with an entity, only that counts as similar whose vectors
// are close enough, in any of its documents.
func TestSearch_ForSimilarEntitiesLeavesOutWhatHardlyResembles(t *testing.T) {
	w := newWorld(t)
	w.Model = "two-things"
	with := func(iid int64, vectors ...[]float32) search.Change {
		change := searchtest.Entity(iid, "the same words")
		for n, vector := range vectors {
			if n > 0 {
				change.Put = append(change.Put, searchtest.Document(fmt.Sprint("discussion#", n), "the same words"))
			}
			change.Put[n].Model, change.Put[n].Vectors = w.Model, [][]float32{vector}
		}
		return change
	}
	w.Rebuild(w.Engine(), with(1, []float32{1, 0}), with(2, []float32{0.8, 0.6}), with(3, []float32{0.6, 0.8}),
		with(4, []float32{0, 1}, []float32{0.9, 0.1}), searchtest.Entity(5, "the same words"))
	ref := searchtest.Issue(1)
	for least, want := range map[float64][]int64{0: {2, 3, 4, 5}, 0.7: {2, 4}, 0.95: {4}, 1: nil} {
		e, ok := w.Engine().(*embedded.Engine)
		if !ok {
			t.Fatal("another engine")
		}
		e.Resembling = least
		found, err := e.Search(t.Context(), search.Query{Text: "the same words", SimilarTo: &ref}, 50)
		w.Must(err)
		if found.More || found.Mode != search.Hybrid {
			t.Errorf("from %.2f on: more is %v, mode %s", least, found.More, found.Mode)
		}
		var iids []int64
		for _, c := range found.Found {
			iids = append(iids, c.Ref.IID)
		}
		slices.Sort(iids)
		w.Same(fmt.Sprintf("from %.2f on", least), want, slices.Compact(iids))
		// A query in words is not one for similar entities.
		w.Same("by words", 6, len(w.Words(e, "the same words")))
	}
}
