package eval

import (
	"slices"
	"testing"

	"github.com/blevesearch/bleve/v2"
	_ "github.com/blevesearch/bleve/v2/analysis/lang/en"

	"gitlab.com/lorehook/lorehook/test/corpus"
)

func TestQueries_NameEntitiesOfTheCorpus(t *testing.T) {
	entities, texts := harbor(t)
	queries := mustQueries(t)
	seen, sets := map[string]bool{}, map[string]int{}
	for _, q := range queries {
		if seen[q.Text] {
			t.Errorf("%q is asked twice", q.Text)
		}
		seen[q.Text] = true
		sets[q.Set]++
		for _, key := range q.Relevant {
			if texts[key] == "" {
				t.Errorf("%q: there is no %s", q.Text, key)
			}
		}
	}
	least := map[string]int{SetParaphrase: 60, SetIdentifier: 40, SetLanguage: 40}
	for set, n := range least {
		if sets[set] < n {
			t.Errorf("%d queries of the set %s, want at least %d", sets[set], set, n)
		}
	}
	for _, q := range Derived(entities) {
		sets[q.Set]++
	}
	for set, n := range map[string]int{SetTitle: 280, SetComment: 150, SetDuplicate: 30} {
		if sets[set] < n {
			t.Errorf("%d queries of the set %s, want at least %d", sets[set], set, n)
		}
	}
}

// A set in which most queries share no word with what they ask for would measure
// vectors only; one in which all do would measure BM25 only.
func TestQueries_AtMostAThirdOfTheParaphrasesShareNoWord(t *testing.T) {
	_, texts := harbor(t)
	all, apart := 0, 0
	for _, q := range mustQueries(t) {
		if q.Set != SetParaphrase {
			continue
		}
		all++
		words := terms(t, q.Text)
		shares := func(key string) bool {
			found := terms(t, texts[key])
			return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(found, w) })
		}
		if !slices.ContainsFunc(q.Relevant, shares) {
			apart++
		}
	}
	t.Logf("%d of %d paraphrases share no word with what they ask for", apart, all)
	if apart*3 > all || apart == 0 {
		t.Errorf("%d of %d paraphrases share no word with what they ask for, want some, at most a third", apart, all)
	}
}

// terms returns the words of an English text without stop words, stemmed.
func terms(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	for _, token := range bleve.NewIndexMapping().AnalyzerNamed("en").Analyze([]byte(text)) {
		all = append(all, string(token.Term))
	}
	return all
}

func mustQueries(t *testing.T) []Query {
	t.Helper()
	queries, err := Queries()
	if err != nil {
		t.Fatal(err)
	}
	return queries
}

// harbor returns the corpus, and all that was written in each entity by its key.
func harbor(t *testing.T) ([]corpus.Entity, map[string]string) {
	t.Helper()
	entities, err := corpus.Harbor()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, e := range entities {
		text := e.Title + "\n" + e.Description
		for _, discussion := range e.Discussions {
			for _, note := range discussion {
				text += "\n" + note.Body
			}
		}
		texts[e.Key()] = text
	}
	return entities, texts
}
