package searchtest

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func fusesVectors(x *Index) {
	x.Model = "two-things"
	e := x.Engine()
	x.Rebuild(e, x.Embedded(Entity(1, "the cat sleeps")), x.Embedded(Entity(2, "rain and snow")))
	x.Apply(e, x.Embedded(Entity(3, "a kitten plays")))
	found, err := e.Search(x.Context(), search.Query{Text: "feline"}, 2)
	x.Must(err)
	x.Same("mode", search.Hybrid, found.Mode)
	x.Same("model", "two-things", found.Model)
	var iids []int64
	for _, c := range found.Found {
		iids = append(iids, c.Ref.IID)
	}
	x.Same("by meaning", []int64{1, 3}, slices.Sorted(slices.Values(iids)))
	x.Same("with a filter", []string{}, x.Find(e, search.Query{Text: "feline", Filter: search.Filter{State: "closed"}}))
	x.Same("the best in both", "1#issue#3/entity/0", x.Words(e, "kitten")[0])
	known, err := e.Known(x.Context(), []surgical.EntityRef{Issue(3)})
	x.Must(err)
	x.Same("known", "two-things", known[Issue(3)].Documents["entity"].Model)

	x.Apply(e, search.Change{Ref: Issue(1), Gone: true})
	similar := Issue(3)
	x.Same("similar", []string{"1#issue#2/entity/0"}, x.Find(e, search.Query{Text: "a kitten plays", SimilarTo: &similar}))
	x.Same("by another process", x.Words(e, "kitten"), x.Words(x.Engine(), "kitten"))
	closed := x.Embedded(Entity(3, "a kitten plays"))
	closed.State, closed.Put = "closed", nil
	x.Apply(e, closed)
	x.Same("facets of what has vectors", []string{"1#issue#3/entity/0"}, x.Find(e, search.Query{Text: "feline", Filter: search.Filter{State: "closed"}}))
}

// acceptsOddVectors has chunks whose vector has another length, no direction, or is
// missing.
func acceptsOddVectors(x *Index) {
	x.Model = "two-things"
	e := x.Engine()
	x.Rebuild(e, x.Embedded(Entity(1, "the cat sleeps")))
	for iid, vector := range map[int64][]float32{2: {1}, 3: {0, 0}, 4: {}, 5: nil} {
		odd := x.Embedded(Entity(iid, "an odd dog", "the spare chunk"))
		odd.Put[0].Vectors[0] = vector
		x.Apply(e, odd)
		for _, text := range []string{"odd", "spare"} {
			if found := x.Find(e, search.Query{Text: text}); !slices.ContainsFunc(found, func(id string) bool { return strings.HasPrefix(id, Issue(iid).Key()+"/") }) {
				x.Errorf("%q of an entity with the vector %v is not among %v", text, vector, found)
			}
		}
	}
	for _, iid := range []int64{2, 3, 4, 5} {
		if id := Issue(iid).Key() + "/entity/0"; slices.Contains(x.Words(e, "feline"), id) {
			x.Errorf("%s is found by a vector that it does not have", id)
		}
	}
	x.Pass(surgical.CompactRemoved)
	x.Maintain(e)
	if found := x.Words(x.Engine(), "odd"); !slices.Contains(found, "1#issue#2/entity/0") {
		x.Errorf("a chunk with an odd vector is not among %v", found)
	}
}

func comparesWordsForAnotherModel(x *Index) {
	x.Model = "two-things"
	x.Rebuild(x.Engine(), x.Embedded(Entity(1, "the cat sleeps")))
	x.Model = "another"
	e := x.Engine()
	found, err := e.Search(x.Context(), search.Query{Text: "cat"}, 10)
	x.Must(err)
	x.Same("mode", search.Lexical, found.Mode)
	if found.Reason == "" || len(found.Found) != 1 {
		x.Errorf("got %+v", found)
	}
	_, rebuild, err := e.Position(x.Context())
	x.Must(err)
	x.Same("rebuild", "another model", rebuild)
}

// comparesWordsWithoutEmbedder asks for the meaning of a text that the embedder refuses.
func comparesWordsWithoutEmbedder(x *Index) {
	x.Model = "two-things"
	e := x.Engine()
	x.Rebuild(e, x.Embedded(Entity(1, "the cat sleeps")))
	found, err := e.Search(x.Context(), search.Query{Text: "cat " + Refused}, 10)
	x.Must(err)
	x.Same("mode", search.Lexical, found.Mode)
	x.Same("reason", "the embedder did not answer, so only words were compared", found.Reason)
	x.Same("found", 1, len(found.Found))
}

// leavesOutWhatHardlyResembles has entities with the same words. Only those count as similar
// that have a vector as close as the bound, in any document.
func leavesOutWhatHardlyResembles(x *Index) {
	x.Model = "two-things"
	with := func(iid int64, vectors ...[]float32) search.Change {
		change := Entity(iid, "the same words")
		for n, vector := range vectors {
			if n > 0 {
				change.Put = append(change.Put, Document(fmt.Sprint("discussion#", n), "the same words"))
			}
			change.Put[n].Model, change.Put[n].Vectors = x.Model, [][]float32{vector}
		}
		return change
	}
	x.Rebuild(x.Engine(), with(1, []float32{1, 0}), with(2, []float32{0.8, 0.6}), with(3, []float32{0.6, 0.8}),
		with(4, []float32{0, 1}, []float32{0.9, 0.1}), Entity(5, "the same words"))
	ref := Issue(1)
	for least, want := range map[float64][]int64{0: {2, 3, 4, 5}, 0.7: {2, 4}, 0.79: {2, 4}, 0.81: {4}, 0.95: {4}, 1: nil} {
		x.Resembling = least
		e := x.Engine()
		for depth, more := range map[int]bool{50: false, 1: len(want) > 0} {
			found, err := e.Search(x.Context(), search.Query{Text: "the same words", SimilarTo: &ref}, depth)
			x.Must(err)
			x.Same("mode", search.Hybrid, found.Mode)
			if found.More != more {
				x.Errorf("from %.2f on, to a depth of %d: more is %v", least, depth, found.More)
			}
			var iids []int64
			for _, c := range found.Found {
				iids = append(iids, c.Ref.IID)
			}
			slices.Sort(iids)
			if depth > 1 {
				x.Same(fmt.Sprintf("from %.2f on", least), want, slices.Compact(iids))
			}
		}
		// A query in words is not one for similar entities.
		x.Same("by words", 6, len(x.Words(e, "the same words")))
	}
}
