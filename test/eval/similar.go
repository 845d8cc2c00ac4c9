package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/viterin/vek/vek32"

	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/corpus"
)

// Pair is an issue and another one that may resemble it.
type Pair struct {
	// Project is the first one's.
	Project int64
	// Cosine is that of the first one's vector and the closest one of the other.
	Cosine float64
	// Same reports whether both describe the same problem.
	Same bool
}

// Similarity says how well a model tells which issues describe the same problem.
type Similarity struct {
	Pairs []Pair
	// Threshold is the product's for the model, and Precision and Recall are those of its
	// answers.
	Threshold         float64
	Precision, Recall float64
}

// MeasureSimilar compares each issue with all others, and asks the product's engine which
// ones resemble it.
func MeasureSimilar(ctx context.Context, entities []corpus.Entity, vectors *Vectors) (m Similarity, err error) {
	x, err := newIndex(ctx, entities, everything, vectors)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	issues := slices.DeleteFunc(slices.Clone(entities), func(e corpus.Entity) bool { return e.Type != surgical.Issue })
	m.Threshold = vectorspace.Resembling(vectors.Model())
	var found, right, all float64
	for _, a := range issues {
		closest, err := x.closest(ctx, vectors, a)
		if err != nil {
			return m, err
		}
		answered, err := similar(ctx, x.similar, a)
		if err != nil {
			return m, err
		}
		for _, b := range issues {
			if a.Key() == b.Key() {
				continue
			}
			p := Pair{a.Project, closest[b.Key()], same(a, b)}
			m.Pairs = append(m.Pairs, p)
			all += one(p.Same)
			if slices.Contains(answered, b.Key()) {
				found, right = found+1, right+one(p.Same)
			}
		}
	}
	m.Precision, m.Recall = right/max(found, 1), right/max(all, 1)
	return m, nil
}

// closest returns the cosine of the entity's vector and the closest one of each entity.
func (x *index) closest(ctx context.Context, vectors *Vectors, e corpus.Entity) (map[string]float64, error) {
	own, err := x.vector(ctx, vectors, Query{Self: e.Key()})
	if err != nil {
		return nil, err
	}
	closest := map[string]float64{}
	for _, r := range x.rows {
		closest[r.entity] = max(closest[r.entity], float64(vek32.CosineSimilarity(own, r.vector)))
	}
	return closest, nil
}

// similar returns the issues that the engine calls similar to the entity.
func similar(ctx context.Context, engine *embedded.Engine, e corpus.Entity) ([]string, error) {
	ref := e.Ref()
	found, err := engine.Search(ctx, search.Query{Text: e.Title + "\n" + e.Description, SimilarTo: &ref, Filter: search.Filter{Type: surgical.Issue}}, depth)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(found.Found))
	for i, c := range found.Found {
		keys[i] = c.Ref.Key()
	}
	return distinct(keys), nil
}

// same reports whether two issues describe the same problem: one duplicates the
// other, or both a third one.
func same(a, b corpus.Entity) bool {
	return a.DuplicateOf == b.Key() || b.DuplicateOf == a.Key() || a.DuplicateOf != "" && a.DuplicateOf == b.DuplicateOf
}

// Precision is the part of the pairs from the threshold on that are the same, and
// recall the part of those that are the same that it finds.
func Precision(pairs []Pair, threshold float64) (precision, recall float64) {
	var found, right, all float64
	for _, p := range pairs {
		all += one(p.Same)
		if p.Cosine >= threshold {
			found, right = found+1, right+one(p.Same)
		}
	}
	if found == 0 {
		return 1, 0
	}
	return right / found, right / max(all, 1)
}

// weighted is the mean of precision and recall by which thresholds are compared: F2, in
// which recall counts twice. People read the list, so an issue too many costs less than
// one that is missing.
func weighted(precision, recall float64) float64 {
	return 5 * precision * recall / max(4*precision+recall, 1e-9)
}

// Threshold returns the lowest threshold, in steps of 0.01, for which [weighted] is
// greatest.
func Threshold(pairs []Pair) (best float64) {
	var most float64
	for step := 30; step < 100; step++ {
		threshold := float64(step) / 100
		if f := weighted(Precision(pairs, threshold)); f > most+1e-9 {
			best, most = threshold, f
		}
	}
	return best
}

// tolerance is by how much another threshold may be better than the product's.
const tolerance = 0.02

// Outdated reports whether the product's threshold should be chosen anew.
func (m Similarity) Outdated() bool {
	return weighted(Precision(m.Pairs, Threshold(m.Pairs))) > weighted(Precision(m.Pairs, m.Threshold))+tolerance
}

// Print writes precision and recall at several thresholds, at the product's, and what they
// are if the threshold for each project is chosen from the others.
func (m Similarity) Print(out io.Writer) {
	n := 0
	for _, p := range m.Pairs {
		n += int(one(p.Same))
	}
	if n == 0 {
		return
	}
	best := Threshold(m.Pairs)
	fmt.Fprintf(out, "Similar issues: %d pairs, %d of which describe the same problem\n%-9s  %9s  %6s  %5s\n", len(m.Pairs), n, "threshold", "precision", "recall", "F2")
	for step := -3; step <= 5; step++ {
		threshold := best + 0.02*float64(step)
		precision, recall := Precision(m.Pairs, threshold)
		mark := ""
		if step == 0 {
			mark = "  best"
		}
		fmt.Fprintf(out, "%9.2f  %9.2f  %6.2f  %5.2f%s\n", threshold, precision, recall, weighted(precision, recall), mark)
	}
	fmt.Fprintf(out, "Answers of the product, from %.2f on: precision %.2f, recall %.2f\n", m.Threshold, m.Precision, m.Recall)
	precision, recall := crossValidated(m.Pairs)
	fmt.Fprintf(out, "With the threshold of the other projects: precision %.2f, recall %.2f\n\n", precision, recall)
}

// crossValidated measures each project with the threshold that is best for the
// others, so that no pair takes part in the choice of its own threshold.
func crossValidated(pairs []Pair) (precision, recall float64) {
	var projects []int64
	for _, p := range pairs {
		if !slices.Contains(projects, p.Project) {
			projects = append(projects, p.Project)
		}
	}
	var found, right, all float64
	for _, project := range projects {
		var own, others []Pair
		for _, p := range pairs {
			if p.Project == project {
				own = append(own, p)
			} else {
				others = append(others, p)
			}
		}
		threshold := Threshold(others)
		for _, p := range own {
			all += one(p.Same)
			if p.Cosine >= threshold {
				found, right = found+1, right+one(p.Same)
			}
		}
	}
	return right / max(found, 1), right / max(all, 1)
}

// one is 1 for true, and 0 for false.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
