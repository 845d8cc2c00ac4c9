package embedded_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSearch_WithoutAnIndexSaysSo(t *testing.T) {
	w := newWorld(t)
	_, err := w.engine().Search(t.Context(), search.Query{Text: "anything"}, 10)
	same(t, "code", surgical.CodeIndexNotReady, surgical.CodeOf(err))
}

func TestSearch_FindsWhatTheBaseAndTheBatchesHave(t *testing.T) {
	w := newWorld(t)
	writer, reader := w.engine(), w.engine()
	w.rebuild(writer, entity(1, "the login page crashes", "nothing here"), entity(2, "crashing again and again: crash, crash"))
	same(t, "from the base", []string{"1#issue#2/entity/0", "1#issue#1/entity/0"}, w.words(reader, "crashed"))

	w.apply(writer, entity(3, "a crash"), search.Change{Ref: issue(2), Gone: true})
	same(t, "with a batch", []string{"1#issue#3/entity/0", "1#issue#1/entity/0"}, w.words(reader, "crash"))
	same(t, "by another process", w.words(reader, "crash"), w.words(w.engine(), "crash"))

	w.apply(writer, entity(1, "the login page works"))
	same(t, "after an edit", []string{"1#issue#3/entity/0"}, w.words(reader, "crash"))
	same(t, "a chunk that no longer exists", []string{}, w.words(reader, "nothing"))
}

func TestSearch_FiltersByFacets(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	one, two := entity(1, "a crash"), entity(2, "another crash")
	one.Facets = search.Facets{State: "opened", Author: "ines", Labels: []string{"Bug", "ui"}, CreatedAt: day, UpdatedAt: day}
	two.Facets = search.Facets{State: "closed", Author: "omar", Labels: []string{"ui"}, CreatedAt: day.AddDate(0, 0, 1), UpdatedAt: day.AddDate(0, 0, 2)}
	two.Ref.Type = surgical.MergeRequest
	w.rebuild(e, one, two)
	first, second := []string{"1#issue#1/entity/0"}, []string{"1#merge_request#2/entity/0"}
	for name, c := range map[string]struct {
		filter search.Filter
		want   []string
	}{
		"state":           {search.Filter{State: "closed"}, second},
		"type":            {search.Filter{Type: surgical.Issue}, first},
		"author":          {search.Filter{Author: "INES"}, first},
		"label":           {search.Filter{Labels: []string{"bug"}}, first},
		"labels":          {search.Filter{Labels: []string{"ui", "bug"}}, first},
		"another label":   {search.Filter{Labels: []string{"docs"}}, []string{}},
		"project":         {search.Filter{Projects: []int64{2}}, []string{}},
		"no project":      {search.Filter{Projects: []int64{}}, []string{}},
		"created before":  {search.Filter{Created: search.Range{Until: day.AddDate(0, 0, 1)}}, first},
		"updated since":   {search.Filter{Updated: search.Range{From: day.AddDate(0, 0, 1)}}, second},
		"state and label": {search.Filter{State: "closed", Labels: []string{"ui"}}, second},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "found", c.want, w.find(e, search.Query{Text: "crash", Filter: c.filter}))
		})
	}
	// A label is set: no text changes.
	two.Facets.Labels, two.Put = []string{"bug"}, nil
	w.apply(e, two)
	same(t, "after a change of the facets", []string{"1#merge_request#2/entity/0"}, w.find(e, search.Query{Text: "crash", Filter: search.Filter{Labels: []string{"bug"}, State: "closed"}}))
}

func TestSearch_FusesVectorsWithWords(t *testing.T) {
	w := newWorld(t)
	w.model = "two-things"
	e := w.engine()
	w.rebuild(e, w.embedded(entity(1, "the cat sleeps")), w.embedded(entity(2, "rain and snow")))
	w.apply(e, w.embedded(entity(3, "a kitten plays")))
	found, err := e.Search(t.Context(), search.Query{Text: "feline"}, 2)
	w.must(err)
	same(t, "mode", search.Hybrid, found.Mode)
	same(t, "model", "two-things", found.Model)
	var refs []int64
	for _, c := range found.Found {
		refs = append(refs, c.Ref.IID)
	}
	same(t, "by meaning", []int64{1, 3}, refs)

	w.apply(e, search.Change{Ref: issue(1), Gone: true})
	similar := issue(3)
	same(t, "similar", []string{"1#issue#2/entity/0"}, w.find(e, search.Query{Text: "a kitten plays", SimilarTo: &similar}))
	same(t, "by another process", w.words(e, "kitten"), w.words(w.engine(), "kitten"))
	// A chunk whose vectors have another length is found by its words.
	odd := w.embedded(entity(4, "an odd dog"))
	odd.Put[0].Vectors[0] = []float32{1}
	w.apply(e, odd)
	w.compact(e)
	if found := w.words(w.engine(), "odd"); !slices.Contains(found, "1#issue#4/entity/0") {
		t.Errorf("a chunk with an odd vector is not among %v", found)
	}
}

func TestSearch_OfAnotherModelComparesWords(t *testing.T) {
	w := newWorld(t)
	w.model = "two-things"
	w.rebuild(w.engine(), w.embedded(entity(1, "the cat sleeps")))
	w.model = "another"
	e := w.engine()
	found, err := e.Search(t.Context(), search.Query{Text: "cat"}, 10)
	w.must(err)
	same(t, "mode", search.Lexical, found.Mode)
	if found.Reason == "" || len(found.Found) != 1 {
		t.Errorf("got %+v", found)
	}
	_, rebuild, err := e.Position(t.Context())
	w.must(err)
	same(t, "rebuild", "another model", rebuild)
}

func TestSearch_ComparesWithTypicalWords(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	w.rebuild(e, entity(1, "issue about a memory leak in the importer"), entity(2, "issue about the importer losing rows"),
		entity(3, "issue about colours"), entity(4, "issue about fonts"))
	ref := issue(1)
	same(t, "similar", "1#issue#2/entity/0", w.find(e, search.Query{Text: "issue about a memory leak in the importer", SimilarTo: &ref})[0])
}

func TestSearch_InOtherLanguages(t *testing.T) {
	w := newWorld(t)
	w.language = "cjk"
	e := w.engine()
	w.rebuild(e, entity(1, "検索が遅い問題を修正する"), entity(2, "ログイン画面のエラー"))
	same(t, "Japanese", []string{"1#issue#1/entity/0"}, w.words(e, "検索が遅い"))
	w.language = "de"
	german := w.engine()
	_, rebuild, err := german.Position(t.Context())
	w.must(err)
	same(t, "rebuild", "another language", rebuild)
	same(t, "until then", []string{"1#issue#1/entity/0"}, w.words(german, "検索が遅い"))
	w.rebuild(german, entity(1, "die Suche nach Häusern"))
	same(t, "German", []string{"1#issue#1/entity/0"}, w.words(german, "Haus suchen"))
}

func TestSearch_OfQueriesThatSayNothing(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	w.rebuild(e, entity(1, "the crash"))
	for _, text := range []string{"", " ", "the of and", "+-*?:\"~^\\/()[]{}", "\x00\xff", "OR AND NOT"} {
		if found := w.words(e, text); len(found) != 0 {
			t.Errorf("%q found %v", text, found)
		}
	}
	same(t, "operators around a word", 1, len(w.words(e, `+"crash" -(the)~2 title:*`)))
}
