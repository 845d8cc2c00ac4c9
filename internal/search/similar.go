package search

import "gitlab.com/lorehook/lorehook/internal/surgical"

// Rankings are the chunks that a query finds by words and by vectors, the best first.
type Rankings struct {
	Words []Candidate
	// Total is how many chunks match by words.
	Total int
	// Near has at most Limit chunks. Their scores are cosines.
	Near  []Candidate
	Limit int
}

// Ranked joins the rankings of a query. What is similar to an entity has to resemble it at
// least so much, as [Rankings.Similar] has it. It also returns how many chunks there are at
// least.
func (r Rankings) Ranked(q Query, least float64) ([]Candidate, int) {
	if q.SimilarTo != nil {
		return r.Similar(least)
	}
	return r.Fused()
}

// Fused joins the rankings. It also returns how many chunks there are at least.
func (r Rankings) Fused() ([]Candidate, int) {
	fused := Fuse(r.Words, r.Near)
	return fused, max(r.Total, r.atLeast(len(fused), len(r.Near)))
}

// atLeast returns how many chunks there are at least, of which so many were found, and so many
// by vectors: beyond the limit there may be more.
func (r Rankings) atLeast(found, near int) int {
	if near == r.Limit {
		return found + 1
	}
	return found
}

// Similar is [Rankings.Fused] for what is similar to an entity: only entities that have a
// chunk whose vector is as close as least, and of the ranking by vectors only such chunks.
// With 0, everything is similar. A chunk that is found by words has no better rank than the
// first by vectors of its entity, since that is as far as one has to look to know that it
// is similar. Once the ranking by vectors has ended, all similar entities are known, and so
// the total counts no words beyond.
func (r Rankings) Similar(least float64) ([]Candidate, int) {
	if least <= 0 {
		return r.Fused()
	}
	f, resembles := fusion{}, map[surgical.EntityRef]int{}
	near := 0
	for rank, c := range r.Near {
		if c.Score < least {
			break
		}
		if _, known := resembles[c.Ref]; !known {
			resembles[c.Ref] = rank
		}
		f.rank(c, rank, rank)
		near++
	}
	first := 0
	for rank, c := range r.Words {
		nearest, similar := resembles[c.Ref]
		if !similar {
			continue
		}
		f.rank(c, first, max(rank, nearest))
		if max(rank, nearest) < Fused {
			first++
		}
	}
	ranked := f.ranked()
	return ranked, r.atLeast(len(ranked), near)
}
