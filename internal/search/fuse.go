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
	f := fusion{}
	for _, ranking := range rankings {
		for rank, hit := range ranking {
			f.rank(hit, rank, rank)
		}
	}
	return f.ranked()
}

// fusion is what is known of each chunk.
type fusion map[chunkKey]*fused

type chunkKey struct {
	ref      surgical.EntityRef
	document string
	chunk    int
}

// fused is a chunk with the sum of its scores, and the score of its better rank behind those
// that have one.
type fused struct {
	hash          string
	score, behind float64
}

// rank gives a chunk a rank in one of the rankings, which was found by looking at depth chunks
// besides it.
func (f fusion) rank(c Candidate, rank, depth int) {
	key := chunkKey{c.Ref, c.Document, c.Chunk}
	one := f[key]
	if one == nil {
		one = &fused{hash: c.Hash}
		f[key] = one
	}
	if depth < Fused {
		one.score += 1 / float64(RankConstant+rank+1)
	} else {
		one.behind = max(one.behind, 1/float64(RankConstant+depth+1))
	}
}

// ranked returns the chunks, best first.
func (f fusion) ranked() []Candidate {
	all := make([]Candidate, 0, len(f))
	for key, one := range f {
		all = append(all, Candidate{Ref: key.ref, Document: key.document, Chunk: key.chunk, Hash: one.hash, Score: cmp.Or(one.score, one.behind)})
	}
	slices.SortFunc(all, func(a, b Candidate) int {
		if a.Score != b.Score {
			return cmp.Compare(b.Score, a.Score)
		}
		return cmp.Or(cmp.Compare(a.Ref.Key(), b.Ref.Key()), cmp.Compare(a.Document, b.Document), cmp.Compare(a.Chunk, b.Chunk))
	})
	return all
}
