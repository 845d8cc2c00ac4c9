package eval

import (
	"math/rand/v2"
	"slices"
)

// resamples is how often the queries are drawn anew.
const resamples = 4000

// Interval is a mean with the range in which 95 of 100 means lie if as many queries
// are drawn at random, again and again, from those that were measured.
type Interval struct{ Mean, Low, High float64 }

// BeyondNoise reports whether the mean is a loss that the choice of the queries does
// not explain.
func (i Interval) BeyondNoise() bool { return i.High < 0 }

// Bootstrap returns the interval of paired differences, one for each query. It is
// the same whenever they are.
func Bootstrap(differences []float64) Interval {
	random := rand.New(rand.NewPCG(13, 7))
	means := make([]float64, resamples)
	for i := range means {
		for range differences {
			means[i] += differences[random.IntN(len(differences))]
		}
		means[i] /= float64(len(differences))
	}
	slices.Sort(means)
	return Interval{Mean: mean(differences), Low: means[resamples/40], High: means[resamples-resamples/40-1]}
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
