package search_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestSimilar_LeavesOutWhatHardlyResembles(t *testing.T) {
	chunk := func(iid int64, score float64) search.Candidate {
		return search.Candidate{Ref: surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}, Document: "entity", Score: score}
	}
	near := []search.Candidate{chunk(1, 0.9), chunk(2, 0.62), chunk(3, 0.61)}
	words := []search.Candidate{chunk(3, 12), chunk(2, 8), chunk(4, 7)}
	for _, c := range []struct {
		name  string
		least float64
		limit int
		want  []int64
		total int
	}{
		{"only with a vector that is close enough", 0.62, 10, []int64{2, 1}, 2},
		{"and perhaps more of them beyond the limit", 0.5, 3, []int64{3, 2, 1}, 4},
		{"nothing is close enough", 0.95, 10, nil, 0},
		{"without a bound, everything", 0, 10, []int64{3, 2, 1, 4}, 4},
	} {
		found, total := search.Rankings{Words: words, Total: 3, Near: near, Limit: c.limit}.Similar(c.least)
		var got []int64
		for _, candidate := range found {
			got = append(got, candidate.Ref.IID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || total != c.total {
			t.Errorf("%s: at least %d, want %d; found (-want +got):\n%s", c.name, total, c.total, diff)
		}
	}
}
