package eval

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/test/corpus"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
)

func TestScore_FollowsItsDefinitions(t *testing.T) {
	many := strings.Split("a b c d e f g h i j k l", " ")
	second, tenth := 1/math.Log2(3), 1/math.Log2(11)
	for name, c := range map[string]struct {
		found, relevant []string
		want            Scores
	}{
		"first":                      {many, []string{"a"}, Scores{1, 1, 1}},
		"second":                     {many, []string{"b"}, Scores{second, 1, 0.5}},
		"last that counts":           {many, []string{"j"}, Scores{tenth, 1, 0.1}},
		"too late":                   {many, []string{"k"}, Scores{0, 0, 1. / 11}},
		"absent":                     {many, []string{"z"}, Scores{0, 0, 0}},
		"nothing found":              {nil, []string{"a"}, Scores{}},
		"both of two":                {many, []string{"b", "a"}, Scores{1, 1, 1}},
		"one of two":                 {many, []string{"b", "z"}, Scores{second / (1 + second), 0.5, 0.5}},
		"more than could be on page": {many, many, Scores{1, 10. / 12, 1}},
	} {
		if diff := cmp.Diff(c.want, score(c.found, c.relevant), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBootstrap_TellsALossFromNoise(t *testing.T) {
	differences := func(n int, at func(i int) float64) []float64 {
		all := make([]float64, n)
		for i := range all {
			all[i] = at(i)
		}
		return all
	}
	for name, c := range map[string]struct {
		differences []float64
		lost        bool
	}{
		"the same":            {differences(60, func(int) float64 { return 0 }), false},
		"as many up as down":  {differences(60, func(i int) float64 { return float64(i%2*2-1) / 2 }), false},
		"one query of many":   {differences(60, func(i int) float64 { return -one(i == 7) }), false},
		"ten queries of many": {differences(60, func(i int) float64 { return -one(i%6 == 0) }), true},
		"all a little":        {differences(60, func(int) float64 { return -0.01 }), true},
		"all better":          {differences(60, func(int) float64 { return 0.01 }), false},
	} {
		i := Bootstrap(c.differences)
		if i.BeyondNoise() != c.lost || i.Low > i.Mean+1e-9 || i.High < i.Mean-1e-9 {
			t.Errorf("%s: %+v", name, i)
		}
		if again := Bootstrap(c.differences); again != i {
			t.Errorf("%s: %+v, then %+v", name, i, again)
		}
	}
}

const small = `{"project":1,"type":"issue","iid":1,"title":"Rollback keeps the configuration","description":"The old pods crash, because they read a configuration that they do not know.","discussions":[[{"author":"ada","body":"Old pods should never read a configuration that they do not know."}]]}
{"project":1,"type":"issue","iid":2,"title":"Invoice numbers have gaps","description":"The number is taken from a sequence, and a sequence takes part in no transaction."}
{"project":1,"type":"merge_request","iid":3,"title":"Old pods crash after a rollback","description":"They read the configuration of the release that failed, and end at once.","duplicate_of":"1#issue#1"}
`

func TestMeasure_FindsWhatIsWrittenInACorpus(t *testing.T) {
	entities, err := corpus.Read(strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	vectors, err := NewVectors(fakeembedder.Words{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	queries, err := ReadQueries(strings.NewReader(`{"set":"identifier","query":"sequence transaction","relevant":["1#issue#2"]}`))
	if err != nil {
		t.Fatal(err)
	}
	results, err := Measure(t.Context(), entities, append(queries, Derived(entities)...), vectors)
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]int{}
	for _, r := range results {
		sets[r.Set]++
		if s := r.Scores[BM25]; r.Set != SetTitle && s.RR != 1 {
			t.Errorf("%s %q: %+v", r.Set, r.ID, s)
		}
	}
	if diff := cmp.Diff(map[string]int{SetIdentifier: 1, SetTitle: 3, SetComment: 1, SetDuplicate: 1}, sets); diff != "" {
		t.Error(diff)
	}

	t.Run("vectors are kept", func(t *testing.T) {
		if err := vectors.Keep(); err != nil {
			t.Fatal(err)
		}
		kept, err := NewVectors(fakeembedder.Words{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(vectors.byText, kept.byText); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a baseline of the same results shows no change", func(t *testing.T) {
		baseline := Baseline(results)
		changes, err := Compare(baseline, results)
		if err != nil || len(changes) != 4*len(Rankings()) {
			t.Fatalf("%d changes, error %v", len(changes), err)
		}
		for _, c := range changes {
			if c.Interval != (Interval{}) {
				t.Errorf("%+v", c)
			}
		}
		renamed := slices.Clone(results)
		renamed[0].ID = "another query"
		for name, other := range map[string][]Result{"fewer queries": results[1:], "another query": renamed, "a set less": of(results, SetTitle)} {
			if _, err := Compare(baseline, other); err == nil {
				t.Errorf("%s: a baseline of other queries was compared", name)
			}
		}
	})
}

func TestCompare_FindsALoss(t *testing.T) {
	var before, after []Result
	for i := range 20 {
		q := Query{Set: SetTitle, ID: string(rune('a' + i))}
		before = append(before, Result{q, map[string]Scores{BM25: {NDCG: 1}, Vector: {NDCG: 1}, Fusion: {NDCG: 1}}})
		after = append(after, Result{q, map[string]Scores{BM25: {NDCG: 1}, Vector: {NDCG: 1}, Fusion: {NDCG: 0.5}}})
	}
	changes, err := Compare(Baseline(before), after)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.BeyondNoise() != (c.Ranking == Fusion) {
			t.Errorf("%+v", c)
		}
	}
}

func TestThreshold_IsChosenByPrecisionAndRecall(t *testing.T) {
	pairs := []Pair{{1, 0.9, true}, {1, 0.8, true}, {1, 0.7, false}, {2, 0.75, true}, {2, 0.6, false}, {2, 0.5, true}, {2, 0.1, false}}
	for threshold, want := range map[float64][2]float64{0.85: {1, 0.25}, 0.75: {1, 0.75}, 0.65: {0.75, 0.75}, 0.4: {4. / 6, 1}, 0.95: {1, 0}} {
		if p, r := Precision(pairs, threshold); p != want[0] || r != want[1] {
			t.Errorf("from %.2f on: precision %.2f, recall %.2f, want %v", threshold, p, r, want)
		}
	}
	// Recall counts more: to find the last pair is worth two wrong ones, but not ten.
	if best := Threshold(pairs); best != 0.30 {
		t.Errorf("the best threshold is %.2f", best)
	}
	for range 8 {
		pairs = append(pairs, Pair{2, 0.55, false})
	}
	if best := Threshold(pairs); best != 0.71 {
		t.Errorf("with more wrong pairs, the best threshold is %.2f", best)
	}
	for threshold, outdated := range map[float64]bool{0.71: false, 0.75: false, 0.4: true, 0.85: true} {
		if m := (Similarity{Pairs: pairs, Threshold: threshold}); m.Outdated() != outdated {
			t.Errorf("from %.2f on: outdated is %v", threshold, m.Outdated())
		}
	}
	if p, r := crossValidated(pairs); p > 1 || r > 1 || r == 0 {
		t.Errorf("precision %.2f, recall %.2f", p, r)
	}
}
