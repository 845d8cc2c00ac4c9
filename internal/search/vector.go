package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// embedTime is how long a query waits for its vector.
const embedTime = 3 * time.Second

// Embedder returns the vector of a query's text. A nil one is one that fails.
type Embedder func(ctx context.Context, text string) ([]float32, error)

// QueryVector returns the vector that a query is compared by, of the length dims: the mean
// of own, which are the vectors of the entity that others are compared with, or else that
// of its text. A vector that cannot be compared with those of the index is an error, and so
// is an embedder that takes longer than a query may wait.
func QueryVector(ctx context.Context, embed Embedder, text string, own [][]float32, dims int) ([]float32, error) {
	if vector := mean(own, dims); vector != nil {
		return vector, nil
	}
	if embed == nil {
		return nil, errors.New("there is no embedder")
	}
	ctx, cancel := context.WithTimeout(ctx, embedTime)
	defer cancel()
	vector, err := embed(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(vector) != dims || !HasDirection(vector) {
		return nil, fmt.Errorf("the embedder returned a vector of %d numbers that cannot be compared with those of %d", len(vector), dims)
	}
	return vector, nil
}

// mean returns a vector with the direction of the mean of the vectors; nil if it has none.
// Vectors of another length are left out.
func mean(vectors [][]float32, dims int) []float32 {
	sum := make([]float32, dims)
	for _, vector := range vectors {
		if len(vector) != dims {
			continue
		}
		for i, x := range vector {
			sum[i] += x
		}
	}
	if !HasDirection(sum) {
		return nil
	}
	return sum
}

// HasDirection reports whether a vector can be compared with others: its values are
// finite, and not all of them zero. A chunk without such a vector is found by its words.
func HasDirection(vector []float32) bool {
	var sum float64
	for _, x := range vector {
		sum += float64(x) * float64(x)
	}
	return sum > 0 && !math.IsInf(sum, 0) && !math.IsNaN(sum)
}
