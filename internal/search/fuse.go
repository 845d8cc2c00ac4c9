package search

import (
	"cmp"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Fuse joins two rankings by ranks (reciprocal rank fusion). What is among the first
// [Fused] of none follows behind all others by its better rank: so the order of the first
// does not depend on how much is looked at, and pages go on where the last one ended.
func Fuse(rankings ...[]Candidate) []Candidate {
	type chunk struct {
		ref      surgical.EntityRef
		document string
		chunk    int
	}
	scores, behind, hashes := map[chunk]float64{}, map[chunk]float64{}, map[chunk]string{}
	for _, ranking := range rankings {
		for rank, hit := range ranking {
			c, score := chunk{hit.Ref, hit.Document, hit.Chunk}, 1/float64(RankConstant+rank+1)
			hashes[c] = hit.Hash
			if rank < Fused {
				scores[c] += score
			} else {
				behind[c] = max(behind[c], score)
			}
		}
	}
	for c, score := range behind {
		if _, ok := scores[c]; !ok {
			scores[c] = score
		}
	}
	all := make([]Candidate, 0, len(scores))
	for c, score := range scores {
		all = append(all, Candidate{Ref: c.ref, Document: c.document, Chunk: c.chunk, Hash: hashes[c], Score: score})
	}
	slices.SortFunc(all, func(a, b Candidate) int {
		if a.Score != b.Score {
			return cmp.Compare(b.Score, a.Score)
		}
		return cmp.Or(cmp.Compare(a.Ref.Key(), b.Ref.Key()), cmp.Compare(a.Document, b.Document), cmp.Compare(a.Chunk, b.Chunk))
	})
	return all
}
