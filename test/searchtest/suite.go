package searchtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Run runs what every engine promises, each promise with an index of its own.
func Run(t *testing.T, backend Backend) {
	for _, promise := range []struct {
		name  string
		holds func(*Index)
	}{
		{"without an index, searches say so", withoutAnIndex},
		{"whatever was applied is found", findsWhatWasApplied},
		{"documents of an entity change one by one", changesDocuments},
		{"filters match facets", filtersByFacets},
		{"facets change without texts", changesFacets},
		{"vectors are fused with words", fusesVectors},
		{"odd vectors are found by words", acceptsOddVectors},
		{"vectors of another model are not compared", comparesWordsForAnotherModel},
		{"without an embedder words are compared", comparesWordsWithoutEmbedder},
		{"typical words tell what is similar", comparesTypicalWords},
		{"only what resembles enough is similar", leavesOutWhatHardlyResembles},
		{"every language has its words", searchesInOtherLanguages},
		{"another policy needs a rebuild", rebuildsForAnotherPolicy},
		{"a rebuild keeps nothing that readers of another policy saw", rebuildDropsWhatAnotherPolicyShowed},
		{"queries that say nothing find nothing", findsNothingForNothing},
		{"a search has a depth", searchesToADepth},
		{"the first are the same however much is looked at", ranksTheFirstAlike},
		{"known is what was applied", knowsWhatWasApplied},
		{"of two indexers one loses", oneOfTwoIndexersLoses},
		{"a writer from before a rebuild loses", loserOfARebuild},
		{"a rebuild loses nothing that others apply", rebuildFollowsWhatWasApplied},
		{"a rebuild whose answer is lost is kept", keepsARebuildWhoseAnswerIsLost},
		{"a rebuild that fails leaves the index", failedRebuildLeavesTheIndex},
		{"a rebuild by request is done once", rebuildsOnce},
		{"maintenance changes nothing that is found", maintainsWhatIsFound},
	} {
		t.Run(promise.name, func(t *testing.T) {
			t.Parallel()
			promise.holds(NewIndex(t, backend))
		})
	}
}

func withoutAnIndex(x *Index) {
	_, err := x.Engine().Search(x.Context(), search.Query{Text: "anything"}, 10)
	x.Same("code", surgical.CodeIndexNotReady, surgical.CodeOf(err))
	if retry := surgical.AsError(err).RetryAfter; retry == 0 {
		x.Error("the failure does not say when to try again")
	}
	_, rebuild, err := x.Engine().Position(x.Context())
	x.Must(err)
	x.Same("rebuild", "there is no index", rebuild)
	x.Maintain(x.Engine())
}

func findsWhatWasApplied(x *Index) {
	writer, reader := x.Engine(), x.Engine()
	x.Rebuild(writer, Entity(1, "the login page crashes", "nothing here"), Entity(2, "crashing again and again: crash, crash"))
	x.Same("rebuilt", []string{"1#issue#2/entity/0", "1#issue#1/entity/0"}, x.Words(reader, "crashed"))

	x.Apply(writer, Entity(3, "a crash"), search.Change{Ref: Issue(2), Gone: true})
	x.Same("with a change", []string{"1#issue#3/entity/0", "1#issue#1/entity/0"}, x.Words(reader, "crash"))
	x.Same("by another process", x.Words(reader, "crash"), x.Words(x.Engine(), "crash"))

	x.Apply(writer, Entity(1, "the login page works"))
	x.Same("after an edit", []string{"1#issue#3/entity/0"}, x.Words(reader, "crash"))
	x.Same("a chunk that no longer exists", []string{}, x.Words(reader, "nothing"))

	x.Apply(writer, Entity(2, "the printer crashes"))
	x.Same("what was gone", []string{"1#issue#2/entity/0", "1#issue#3/entity/0"}, slices.Sorted(slices.Values(x.Words(reader, "crash"))))
	found, err := reader.Search(x.Context(), search.Query{Text: "printer"}, 10)
	x.Must(err)
	want := search.Candidate{Ref: Issue(2), Document: "entity", Hash: Document("entity", "the printer crashes").Hash}
	if len(found.Found) == 1 {
		want.Score = found.Found[0].Score
	}
	x.Same("candidate", []search.Candidate{want}, found.Found)
	x.Same("as of", x.Now.Add(-time.Second), found.AsOf)
}

func changesDocuments(x *Index) {
	writer, reader := x.Engine(), x.Engine()
	thread := Entity(1, "about fonts")
	thread.Put = append(thread.Put, Document("discussion#a", "first answer", "second answer"), Document("discussion#b", "third answer"))
	x.Rebuild(writer, thread)
	x.Apply(writer, search.Change{Ref: Issue(1), Facets: thread.Facets, Put: []search.Document{Document("discussion#b", "third reply")}, Removed: []string{"discussion#a"}})
	x.Same("removed", []string{}, x.Words(reader, "first second answer"))
	x.Same("replaced", []string{"1#issue#1/discussion#b/0"}, x.Words(reader, "third"))
	x.Same("kept", []string{"1#issue#1/entity/0"}, x.Words(reader, "fonts"))
	known, err := writer.Known(x.Context(), []surgical.EntityRef{Issue(1)})
	x.Must(err)
	x.Same("known", map[string]search.Indexed{"entity": Document("entity", "about fonts").Indexed, "discussion#b": Document("discussion#b", "third reply").Indexed}, known[Issue(1)].Documents)
}

// faceted has two entities that differ in every facet.
func faceted() (one, two search.Change, day time.Time) {
	day = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	one, two = Entity(1, "a crash"), Entity(2, "another crash")
	one.Facets = search.Facets{State: "opened", Author: "ines", Labels: []string{"Bug", "ui", "Größe"}, CreatedAt: day, UpdatedAt: day}
	two.Facets = search.Facets{State: "closed", Author: "omar", Labels: []string{"ui"}, CreatedAt: day.AddDate(0, 0, 1), UpdatedAt: day.AddDate(0, 0, 2)}
	two.Ref.Type = surgical.MergeRequest
	return one, two, day
}

func filtersByFacets(x *Index) {
	e := x.Engine()
	one, two, day := faceted()
	dateless := Entity(3, "a crash without a date")
	dateless.Facets = search.Facets{State: "locked", Labels: []string{strings.Repeat("long", 20_000)}}
	x.Rebuild(e, one, two, dateless)
	first, second, none := []string{"1#issue#1/entity/0"}, []string{"1#merge_request#2/entity/0"}, []string{}
	for name, c := range map[string]struct {
		filter search.Filter
		want   []string
	}{
		"state":           {search.Filter{State: "closed"}, second},
		"another state":   {search.Filter{State: "locked"}, []string{"1#issue#3/entity/0"}},
		"type":            {search.Filter{Type: surgical.MergeRequest}, second},
		"author":          {search.Filter{Author: "INES"}, first},
		"label":           {search.Filter{Labels: []string{"Bug"}}, first},
		"beyond ASCII":    {search.Filter{Labels: []string{"Größe"}}, first},
		"labels":          {search.Filter{Labels: []string{"ui", "Bug"}}, first},
		"another label":   {search.Filter{Labels: []string{"docs"}}, none},
		"a part of one":   {search.Filter{Labels: []string{"u"}}, none},
		"project":         {search.Filter{Projects: []int64{2}}, none},
		"no project":      {search.Filter{Projects: []int64{}}, none},
		"the project":     {search.Filter{Projects: []int64{2, 1}, State: "closed"}, second},
		"created before":  {search.Filter{Created: search.Range{Until: day.AddDate(0, 0, 1)}}, first},
		"created at":      {search.Filter{Created: search.Range{From: day.AddDate(0, 0, 1)}}, second},
		"updated since":   {search.Filter{Updated: search.Range{From: day.AddDate(0, 0, 1)}}, second},
		"updated between": {search.Filter{Updated: search.Range{From: day, Until: day.AddDate(0, 0, 2)}}, first},
		"state and label": {search.Filter{State: "closed", Labels: []string{"ui"}}, second},
	} {
		x.Same(name, c.want, x.Find(e, search.Query{Text: "crash", Filter: c.filter}))
	}
}

func changesFacets(x *Index) {
	e := x.Engine()
	one, two, _ := faceted()
	two.Put[0] = Document("entity", "a crash", "and a crash")
	two.Put = append(two.Put, Document("discussion#a", "no crash here"))
	x.Rebuild(e, one, two)
	two.Facets.Labels, two.Put = []string{"Bug"}, nil
	x.Apply(e, two)
	labelled := search.Query{Text: "crash", Filter: search.Filter{Labels: []string{"Bug"}, State: "closed"}}
	x.Same("after a label was set", []string{"1#merge_request#2/discussion#a/0", "1#merge_request#2/entity/0", "1#merge_request#2/entity/1"}, slices.Sorted(slices.Values(x.Find(e, labelled))))
	known, err := e.Known(x.Context(), []surgical.EntityRef{two.Ref})
	x.Must(err)
	if entry := known[two.Ref]; !entry.Equal(two.Facets) || len(entry.Documents) != 2 {
		x.Errorf("the index knows %+v", entry)
	}
	two.Facets.State, two.Put = "opened", []search.Document{Document("discussion#a", "no failure here")}
	x.Apply(e, two)
	x.Same("the former state", []string{}, x.Find(e, labelled))
	labelled.Filter.State = "opened"
	x.Same("with another text", 3, len(x.Find(e, labelled)))
}

func comparesTypicalWords(x *Index) {
	e := x.Engine()
	x.Rebuild(e, Entity(1, "issue about a memory leak in the importer"), Entity(2, "issue about the importer losing rows"),
		Entity(3, "issue about colours"), Entity(4, "issue about fonts"))
	ref := Issue(1)
	similar := x.Find(e, search.Query{Text: "issue about a memory leak in the importer", SimilarTo: &ref})
	if len(similar) == 0 || similar[0] != "1#issue#2/entity/0" {
		x.Errorf("similar are %v", similar)
	}
}

func searchesInOtherLanguages(x *Index) {
	x.Language = "cjk"
	e := x.Engine()
	x.Rebuild(e, Entity(1, "検索が遅い問題を修正する"), Entity(2, "ログイン画面のエラー"))
	x.Same("Japanese", []string{"1#issue#1/entity/0"}, x.Words(e, "検索が遅い"))
	x.Language = "de"
	german := x.Engine()
	_, rebuild, err := german.Position(x.Context())
	x.Must(err)
	x.Same("rebuild", "another language", rebuild)
	x.Same("until then", []string{"1#issue#1/entity/0"}, x.Words(german, "検索が遅い"))
	x.Rebuild(german, Entity(1, "die Suche nach Häusern"))
	x.Same("German", []string{"1#issue#1/entity/0"}, x.Words(german, "Haus suchen"))
}

// rebuildsForAnotherPolicy also has an index of before the policy was recorded.
func rebuildsForAnotherPolicy(x *Index) {
	x.Rebuild(x.Engine(), Entity(1, "a crash"))
	x.Confidential = surgical.Include
	e := x.Engine()
	needsRebuild := func(what, want string) {
		x.Helper()
		_, rebuild, err := e.Position(x.Context())
		x.Must(err)
		x.Same(what, want, rebuild)
	}
	needsRebuild("of another policy", "another policy")
	x.Rebuild(e, Entity(1, "a crash"), Entity(2, "a confidential crash"))
	needsRebuild("rebuilt", "")
	x.Same("found", 2, len(x.Words(x.Engine(), "crash")))
	m, err := x.Manifests.Read(x.Context())
	x.Must(err)
	older := m
	older.Confidential = ""
	_, err = x.Manifests.Swap(x.Context(), m, older)
	x.Must(err)
	needsRebuild("of a policy that is not known", "another policy")
}

// rebuildDropsWhatAnotherPolicyShowed rebuilds for another policy while an indexer with the
// former one still works: what that applies is followed again.
func rebuildDropsWhatAnotherPolicyShowed(x *Index) {
	x.Confidential = surgical.Include
	before := x.Engine()
	x.Rebuild(before, Entity(1, "a crash"))
	x.Confidential = surgical.Exclude
	e := x.Engine()
	x.Must(e.Rebuild(x.Context(), search.Position{Cursor: "0", AsOf: x.Now}, func(yield func(search.Change, error) bool) {
		_ = yield(Entity(1, "a crash"), nil)
		x.Apply(before, Entity(2, "a confidential crash"))
	}))
	x.Pass(time.Second)
	x.Same("the position", "0", x.Position(e).Cursor)
	x.Same("found", []string{"1#issue#1/entity/0"}, x.Words(x.Engine(), "crash"))
	at := search.Position{Cursor: "0", AsOf: x.Now}
	if err := before.Apply(x.Context(), at, at, []search.Change{Entity(2, "a confidential crash")}); !errors.Is(err, search.ErrMoved) {
		x.Errorf("an indexer with the former policy: %v", err)
	}
}

func findsNothingForNothing(x *Index) {
	e := x.Engine()
	x.Rebuild(e, Entity(1, "the crash"))
	for _, text := range []string{"", " ", "the of and", "+-*?:\"~^\\/()[]{}", "\x00\xff", "OR AND NOT"} {
		if found := x.Words(e, text); len(found) != 0 {
			x.Errorf("%q found %v", text, found)
		}
	}
	x.Same("operators around a word", 1, len(x.Words(e, `+"crash" -(the)~2 title:*`)))
	x.Same("an endless query", 1, len(x.Words(e, strings.Repeat("crash into something ", 2000))))
	x.Same("an endless word", 0, len(x.Words(e, strings.Repeat("問", 2000))))
}

func searchesToADepth(x *Index) {
	e := x.Engine()
	x.Rebuild(e, Entity(1, "a crash"), Entity(2, "a crash"), Entity(3, "a crash"))
	for depth, more := range map[int]bool{2: true, 3: false, 20_000: false} {
		found, err := e.Search(x.Context(), search.Query{Text: "crash"}, depth)
		x.Must(err)
		x.Same("found", min(depth, 3), len(found.Found))
		x.Same("more", more, found.More)
	}
}

func knowsWhatWasApplied(x *Index) {
	e := x.Engine()
	one, two, _ := faceted()
	x.Rebuild(e, one)
	x.Apply(e, two)
	known, err := x.Engine().Known(x.Context(), []surgical.EntityRef{one.Ref, two.Ref, Issue(3)})
	x.Must(err)
	want := map[surgical.EntityRef]search.Entry{}
	for _, change := range []search.Change{one, two} {
		want[change.Ref] = search.Entry{Facets: change.Facets, Documents: map[string]search.Indexed{"entity": change.Put[0].Indexed}}
	}
	x.Same("known", want, known)
	x.Apply(e, search.Change{Ref: one.Ref, Gone: true}, search.Change{Ref: Issue(9), Gone: true})
	known, err = e.Known(x.Context(), []surgical.EntityRef{one.Ref, two.Ref, Issue(9)})
	x.Must(err)
	delete(want, one.Ref)
	x.Same("after one is gone", want, known)
	known, err = e.Known(x.Context(), nil)
	x.Must(err)
	x.Same("of nothing", 0, len(known))
}

func oneOfTwoIndexersLoses(x *Index) {
	one, two := x.Engine(), x.Engine()
	x.Rebuild(one, Entity(1, "a crash"))
	at := x.Position(one)
	x.Must(one.Apply(x.Context(), at, search.Position{Cursor: "1"}, []search.Change{Entity(2, "a crash")}))
	err := two.Apply(x.Context(), at, search.Position{Cursor: "1"}, []search.Change{Entity(3, "a crash")})
	if !errors.Is(err, search.ErrMoved) {
		x.Errorf("got %v", err)
	}
	x.Pass(time.Second)
	x.Same("found", 2, len(x.Words(two, "crash")))
	// Without a change, only the position moves.
	at = x.Position(two)
	x.Must(two.Apply(x.Context(), at, search.Position{Cursor: "2", AsOf: x.Now}, nil))
	x.Same("cursor", "2", x.Position(one).Cursor)
	if err := one.Apply(x.Context(), at, search.Position{Cursor: "3"}, nil); !errors.Is(err, search.ErrMoved) {
		x.Errorf("from where it no longer is: %v", err)
	}
}

func loserOfARebuild(x *Index) {
	one, two := x.Engine(), x.Engine()
	x.Rebuild(one, Entity(1, "a crash"))
	at := x.Position(two)
	x.Rebuild(one, Entity(1, "a crash"))
	if err := two.Apply(x.Context(), at, search.Position{Cursor: "1"}, []search.Change{Entity(2, "a crash")}); !errors.Is(err, search.ErrMoved) {
		x.Errorf("got %v", err)
	}
	x.Same("found", 1, len(x.Words(two, "crash")))
}

// rebuildFollowsWhatWasApplied rebuilds while another indexer follows the source: either
// the new index has what that applied, or its position is from before it.
func rebuildFollowsWhatWasApplied(x *Index) {
	e, warm := x.Engine(), x.Engine()
	x.Rebuild(e, Entity(1, "a crash"))
	x.Words(warm, "crash")
	x.Apply(e, Entity(2, "a crash"))
	late := Entity(3, "a crash")
	x.Must(e.Rebuild(x.Context(), search.Position{Cursor: "0+", AsOf: x.Now}, func(yield func(search.Change, error) bool) {
		_ = yield(Entity(1, "a crash"), nil)
		x.Apply(x.Engine(), late)
		_ = yield(Entity(2, "a fire"), nil)
	}))
	x.Pass(time.Second)
	switch at := x.Position(e); at.Cursor {
	case "0++": // behind what was applied
	case "0+":
		x.Apply(e, late)
	default:
		x.Fatalf("the position is %q", at.Cursor)
	}
	for name, e := range map[string]search.Engine{"warm": warm, "cold": x.Engine()} {
		x.Same(name, []string{"1#issue#1/entity/0", "1#issue#3/entity/0"}, slices.Sorted(slices.Values(x.Words(e, "crash"))))
		x.Same(name, []string{"1#issue#2/entity/0"}, x.Words(e, "fire"))
	}
}

func keepsARebuildWhoseAnswerIsLost(x *Index) {
	other := x.Engine()
	x.Rebuild(other, Entity(1, "a crash"))
	x.Rebuild(x.Losing(func() { x.Apply(other, Entity(3, "a crash")) }), Entity(1, "a crash"), Entity(2, "a crash"))
	x.Same("found", 3, len(x.Words(x.Engine(), "crash")))
	x.Maintain(other)
}

func failedRebuildLeavesTheIndex(x *Index) {
	e := x.Engine()
	x.Rebuild(e, Entity(1, "a crash"))
	x.Apply(e, Entity(2, "a crash"))
	at := x.Position(e)
	unreadable := errors.New("the copy cannot be read")
	err := e.Rebuild(x.Context(), search.Position{Cursor: "9"}, func(yield func(search.Change, error) bool) {
		_ = yield(Entity(1, "a fire"), nil) && yield(search.Change{}, unreadable)
	})
	if !errors.Is(err, unreadable) {
		x.Errorf("got %v", err)
	}
	x.Same("position", at, x.Position(e))
	x.Pass(time.Second)
	x.Same("found", 2, len(x.Words(x.Engine(), "crash")))
}

func rebuildsOnce(x *Index) {
	e := x.Engine()
	x.Rebuild(e, Entity(1, "a crash"))
	x.Must(x.Manifests.RequestRebuild(x.Context(), x.Now))
	_, rebuild, err := e.Position(x.Context())
	x.Must(err)
	x.Same("rebuild", "requested", rebuild)
	x.Rebuild(e, Entity(1, "a crash"))
	x.Position(e)
}

// maintainsWhatIsFound maintains the index for two days in which nothing changes.
func maintainsWhatIsFound(x *Index) {
	e, warm := x.Engine(), x.Engine()
	x.Rebuild(e, Entity(1, "a crash"), Entity(2, "a crash"))
	x.Rebuild(e, Entity(1, "a crash"), Entity(2, "a crash"))
	x.Apply(e, Entity(1, "a fire"), Entity(3, "a crash"))
	for range 16 {
		x.Maintain(e)
		x.Pass(3 * time.Hour)
	}
	for name, e := range map[string]search.Engine{"warm": warm, "cold": x.Engine()} {
		x.Same(name, []string{"1#issue#2/entity/0", "1#issue#3/entity/0"}, slices.Sorted(slices.Values(x.Words(e, "crash"))))
		x.Same(name, []string{"1#issue#1/entity/0"}, x.Words(e, "fire"))
	}
}

// A later page looks at more candidates. If that changed the order of those before, it would
// repeat some hits and leave out others. Many chunks have the same words, and some also the
// same vector.
func ranksTheFirstAlike(x *Index) {
	x.Model = "two-things"
	e := x.Engine()
	x.Rebuild(e)
	const chunks = 1200
	random := rand.New(rand.NewPCG(13, 7))
	for some := range slices.Chunk(random.Perm(chunks), 150) {
		var changes []search.Change
		for _, n := range some {
			change := x.Embedded(Entity(int64(n+1), "cat"+strings.Repeat(" noise", n%20)))
			if n%3 > 0 {
				change.Put[0].Vectors[0] = []float32{1, random.Float32()}
			}
			changes = append(changes, change)
		}
		x.Apply(e, changes...)
	}
	for name, q := range map[string]search.Query{"fused": {Text: "cat"}, "by words": {Text: "cat " + Refused}, "by vectors": {Text: "kitten"}} {
		before := []search.Candidate{}
		for _, depth := range []int{10, 100, 110, 200, 800, chunks + 100} {
			found, err := e.Search(x.Context(), q, depth)
			x.Must(err)
			if len(found.Found) != min(depth, chunks) || found.More != (depth < chunks) || (found.Mode == search.Lexical) != (name == "by words") {
				x.Fatalf("%s: found %d of %d, %s, more: %t", name, len(found.Found), depth, found.Mode, found.More)
			}
			x.Same(fmt.Sprintf("%s: the first of %d", name, depth), before, found.Found[:len(before)])
			before = found.Found
		}
	}
}
