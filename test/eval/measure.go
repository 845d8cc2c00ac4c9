package eval

import (
	"context"
	"errors"
	"math"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/test/corpus"
)

// cutoff is how many hits count, as on a first page.
const cutoff = 10

// The ways of ranking.
const (
	BM25   = "BM25"
	Vector = "vectors"
	Fusion = "fusion"
)

// Rankings are the ways of ranking that are measured.
func Rankings() []string { return []string{BM25, Vector, Fusion} }

// Scores say how well a query was answered, from 0 to 1.
type Scores struct {
	// NDCG is the normalized discounted cumulative gain of the first ten.
	NDCG float64
	// Recall is the part of what is relevant that is among the first ten.
	Recall float64
	// RR is 1 divided by the rank of the first relevant hit.
	RR float64
}

func score(found, relevant []string) (s Scores) {
	var gain, ideal float64
	for i, key := range found {
		if !slices.Contains(relevant, key) {
			continue
		}
		if s.RR == 0 {
			s.RR = 1 / float64(i+1)
		}
		if i < cutoff {
			gain += 1 / math.Log2(float64(i+2))
			s.Recall += 1 / float64(len(relevant))
		}
	}
	for i := range min(cutoff, len(relevant)) {
		ideal += 1 / math.Log2(float64(i+2))
	}
	s.NDCG = gain / ideal
	return s
}

// Result is the outcome of one query, by ranking.
type Result struct {
	Query
	Scores map[string]Scores
}

// Measure answers the queries by each ranking.
func Measure(ctx context.Context, entities []corpus.Entity, queries []Query, vectors *Vectors) (results []Result, err error) {
	indexes := map[part]*index{}
	defer func() {
		for _, x := range indexes {
			err = errors.Join(err, x.close())
		}
	}()
	for _, q := range queries {
		p := partOf(q.Set)
		if indexes[p] == nil {
			if indexes[p], err = newIndex(ctx, entities, p, vectors); err != nil {
				return nil, err
			}
		}
		scores, err := indexes[p].measure(ctx, vectors, q)
		if err != nil {
			return nil, err
		}
		results = append(results, Result{q, scores})
	}
	return results, nil
}

func (x *index) measure(ctx context.Context, vectors *Vectors, q Query) (map[string]Scores, error) {
	words, err := x.by(ctx, x.words, search.Lexical, q)
	if err != nil {
		return nil, err
	}
	near, err := x.byVectors(ctx, vectors, q)
	if err != nil {
		return nil, err
	}
	both, err := x.by(ctx, x.both, search.Hybrid, q)
	if err != nil {
		return nil, err
	}
	return map[string]Scores{BM25: score(words, q.Relevant), Vector: score(near, q.Relevant), Fusion: score(both, q.Relevant)}, nil
}
