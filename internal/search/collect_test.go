package search_test

import (
	"math"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/search"
)

func TestHasDirection_OfVectorsThatCanBeCompared(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		vector []float32
		want   bool
	}{
		"ordinary":  {[]float32{0, -0.5, 1}, true},
		"large":     {[]float32{math.MaxFloat32, math.MaxFloat32}, true},
		"none":      {nil, false},
		"zero":      {[]float32{0, 0}, false},
		"no number": {[]float32{1, nan}, false},
		"infinite":  {[]float32{inf, 1}, false},
	} {
		if got := search.HasDirection(c.vector); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
