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

// Fused joins the rankings. It also returns how many chunks there are at least.
func (r Rankings) Fused() ([]Candidate, int) {
	fused := Fuse(r.Words, r.Near)
	return fused, max(r.Total, len(fused))
}

// Similar is [Rankings.Fused] for what is similar to an entity: only entities that have a
// chunk whose vector is as close as least, and of the ranking by vectors only such chunks.
// With 0, everything is similar.
func (r Rankings) Similar(least float64) ([]Candidate, int) {
	if least <= 0 {
		return r.Fused()
	}
	resembles := map[surgical.EntityRef]bool{}
	var within Rankings
	for _, c := range r.Near {
		if c.Score < least {
			break
		}
		resembles[c.Ref] = true
		within.Near = append(within.Near, c)
	}
	for _, c := range r.Words {
		if resembles[c.Ref] {
			within.Words = append(within.Words, c)
		}
	}
	if len(within.Near) == r.Limit {
		within.Total = r.Limit + 1 // there may be more beyond
	}
	return within.Fused()
}
