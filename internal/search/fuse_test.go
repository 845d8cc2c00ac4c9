package search_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// A later page looks at more of both rankings.
func TestRankings_RankTheFirstAlikeHoweverMuchIsLookedAt(t *testing.T) {
	var words []search.Candidate
	for n := range int64(500) {
		words = append(words, search.Candidate{Ref: surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: n % 150}}, Document: "entity", Chunk: int(n / 150)})
	}
	near := slices.Clone(words)
	random := rand.New(rand.NewPCG(13, 7))
	for range 100 {
		for _, ranking := range [][]search.Candidate{words, near} {
			random.Shuffle(len(ranking), func(i, j int) { ranking[i], ranking[j] = ranking[j], ranking[i] })
		}
		for rank := range near {
			near[rank].Score = 1 - float64(rank)/1000
		}
		for _, least := range []float64{0, 0.55, 0.7, 0.85, 0.95} {
			before := []search.Candidate{}
			for _, limit := range []int{search.Fused, 101, 130, 200, 400, len(words)} {
				found, _ := search.Rankings{Words: words[:limit], Total: len(words), Near: near[:limit], Limit: limit}.Similar(least)
				if len(found) < len(before) || !slices.Equal(before, found[:len(before)]) {
					t.Fatalf("with a bound of %g, the first of %d are others than before", least, limit)
				}
				before = found[:min(limit, len(found))]
			}
		}
	}
}
