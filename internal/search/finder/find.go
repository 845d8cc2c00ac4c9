// Package finder answers queries: it reads every candidate of an engine again before it
// is shown.
package finder

import (
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Truth is what a candidate is checked against: what readers see.
type Truth interface {
	// VisibleDocumentsOf reads documents by their ids, and leaves out what is not shown.
	VisibleDocumentsOf(ctx context.Context, ids map[surgical.EntityRef][]string) (map[surgical.EntityRef]content.ShownDocuments, error)
	// VisibleDocument reads a document with its text; one that does not exist has
	// revision 0. If the entity is not shown, the error says why.
	VisibleDocument(ctx context.Context, ref surgical.EntityRef, id string) (content.Document, error)
	// VisibleHead fails if the entity is not shown.
	VisibleHead(ctx context.Context, ref surgical.EntityRef) (surgical.Head, error)
}

// Finder answers queries. Every hit is read again before it is shown: an index is older
// than the copy, and may name what nobody may see any more.
type Finder struct {
	Engine search.Engine
	Truth  Truth
	Words  *language.Analyzer
}

const (
	// firstDepth is how many chunks are looked at first; each further search looks at
	// four times as many.
	firstDepth = 200
	maxDepth   = 12_800
	// maxPassages is how many passages a hit has at most.
	maxPassages = 3
)

// Find answers a query. Candidates that are no longer true are left out, and others take
// their places; after [surgical.MaxSearchRounds] readings, the page is shorter than the
// query asks for, and has a next one.
func (f *Finder) Find(ctx context.Context, q search.Query) (search.Answer, error) {
	if q.SimilarTo != nil {
		text, err := f.own(ctx, *q.SimilarTo)
		if err != nil {
			return search.Answer{}, err
		}
		q.Text = text
	}
	marked := f.marker(q.Text)
	ranking := &ranking{engine: f.Engine, query: q}
	answer := search.Answer{}
	at := q.From
	for range surgical.MaxSearchRounds {
		// Twice as many as are missing, so that one round is nearly always enough.
		groups, err := ranking.from(ctx, at, 2*(q.Limit-len(answer.Hits)))
		if err != nil {
			return search.Answer{}, err
		}
		checked, err := f.check(ctx, groups, q.Filter)
		if err != nil {
			return search.Answer{}, err
		}
		for i, g := range groups {
			if len(answer.Hits) == q.Limit {
				break
			}
			at++
			hit, shown, err := f.hit(ctx, g, checked[i], marked)
			if err != nil {
				return search.Answer{}, err
			}
			if shown {
				answer.Hits = append(answer.Hits, hit)
			}
		}
		if len(answer.Hits) == q.Limit || ranking.ended(at) {
			break
		}
	}
	c := ranking.last
	answer.Mode, answer.Model, answer.Reason, answer.AsOf = c.Mode, c.Model, c.Reason, c.AsOf
	if c.Mode == search.Lexical && c.Reason == "" {
		answer.Reason = "no model embeds the texts, so only words are compared"
	}
	if !ranking.ended(at) && at < surgical.MaxSearchDepth {
		answer.Next = at
	}
	return answer, nil
}

// own returns the text that others are compared with.
func (f *Finder) own(ctx context.Context, ref surgical.EntityRef) (string, error) {
	document, err := f.Truth.VisibleDocument(ctx, ref, render.EntityID)
	if err != nil {
		return "", err
	}
	head, err := f.Truth.VisibleHead(ctx, ref)
	return head.Attributes.Title + "\n" + render.Body(document.Text), err
}

// group is the candidates of one entity, best first.
type group struct {
	ref        surgical.EntityRef
	candidates []search.Candidate
}

// ranking is an engine's candidates by entity. It asks the engine for more as they are
// needed.
type ranking struct {
	engine search.Engine
	query  search.Query
	depth  int
	groups []group
	last   search.Candidates
}

// from returns up to n entities from the rank on.
func (r *ranking) from(ctx context.Context, rank, n int) ([]group, error) {
	for r.depth == 0 || len(r.groups) < rank+n && r.last.More && r.depth < maxDepth {
		r.depth = max(firstDepth, 4*r.depth)
		found, err := r.engine.Search(ctx, r.query, r.depth)
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		r.last, r.groups = found, grouped(found.Found)
	}
	rank = min(rank, len(r.groups))
	return r.groups[rank:min(rank+n, len(r.groups))], nil
}

// ended reports whether nothing comes from the rank on.
func (r *ranking) ended(rank int) bool {
	return rank >= len(r.groups) && (!r.last.More || r.depth >= maxDepth)
}

func grouped(candidates []search.Candidate) []group {
	var groups []group
	at := map[surgical.EntityRef]int{}
	for _, c := range candidates {
		i, ok := at[c.Ref]
		if !ok {
			i = len(groups)
			at[c.Ref] = i
			groups = append(groups, group{ref: c.Ref})
		}
		groups[i].candidates = append(groups[i].candidates, c)
	}
	return groups
}

// check reads the entities again, and returns what of each is still true, in order.
func (f *Finder) check(ctx context.Context, groups []group, filter search.Filter) ([]content.ShownDocuments, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	ids := map[surgical.EntityRef][]string{}
	for _, g := range groups {
		named := map[string]bool{}
		for _, c := range g.candidates {
			if !named[c.Document] {
				named[c.Document] = true
				ids[g.ref] = append(ids[g.ref], c.Document)
			}
		}
	}
	shown, err := f.Truth.VisibleDocumentsOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the hits again: %w", err)
	}
	checked := make([]content.ShownDocuments, len(groups))
	for i, g := range groups {
		if s, ok := shown[g.ref]; ok && filter.Matches(g.ref, search.FacetsOf(s.Head)) {
			checked[i] = s
		}
	}
	return checked, nil
}

// hit returns what is shown of a candidate; false for nothing.
func (f *Finder) hit(ctx context.Context, g group, shown content.ShownDocuments, marked marker) (search.Hit, bool, error) {
	hit := search.Hit{Head: shown.Head}
	documents := make(map[string]content.Document, len(shown.Documents))
	for _, d := range shown.Documents {
		documents[d.ID] = d
	}
	for _, c := range g.candidates {
		document, ok := documents[c.Document]
		if !ok || document.Hash != c.Hash {
			continue // removed, hidden or changed since it was indexed
		}
		if len(hit.Passages) == maxPassages {
			break
		}
		if document.Long() {
			whole, err := f.Truth.VisibleDocument(ctx, g.ref, c.Document)
			if code := surgical.CodeOf(err); err != nil && (code == surgical.CodeEntityGone || code == surgical.CodeEntityNotFound) {
				return search.Hit{}, false, nil // hidden since
			}
			if err != nil {
				return search.Hit{}, false, fmt.Errorf("read a hit again: %w", err)
			}
			if whole.Revision == 0 || whole.Hash != c.Hash {
				continue
			}
			document = whole
		}
		chunks := render.Chunks(document.Document)
		if c.Chunk >= len(chunks) {
			continue
		}
		if len(hit.Passages) == 0 {
			hit.Score = c.Score
		}
		hit.Passages = append(hit.Passages, marked.passage(document, chunks, c.Chunk))
	}
	return hit, len(hit.Passages) > 0, nil
}
