package main

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBest_KeepsTheChunksWithTheGreatestScoresInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := best{depth: 5}
	var all []scored
	for chunk, score := range random.Perm(1000) {
		b.add(chunk, float32(score))
		all = append(all, scored{chunk, float32(score)})
	}
	slices.SortFunc(all, func(a, b scored) int { return int(b.score - a.score) })
	var want []int
	for _, s := range all[:5] {
		want = append(want, s.chunk)
	}
	if diff := cmp.Diff(want, b.chunks()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProduct_IsTheSumOfTheProducts(t *testing.T) {
	if got := product([]float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 1, 1, 1, 2, 2, 2, 2}); got != 62 {
		t.Errorf("got %v", got)
	}
}
