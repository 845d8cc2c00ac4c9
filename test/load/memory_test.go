package load

import (
	"math/rand/v2"
	"testing"
	"time"
)

// series returns an hour of samples: a base, the fluctuation of garbage
// collection, and a leak per second.
func series(seconds int, base, noise, leak float64) []Sample {
	random := rand.New(rand.NewPCG(1, 2))
	samples := make([]Sample, seconds)
	for i := range samples {
		warmUp := min(1, float64(i+1)/float64(seconds)*5)
		mb := base*warmUp + noise*random.Float64() + leak*float64(i)
		samples[i] = Sample{At: time.Unix(int64(i), 0), Bytes: int64(mb * (1 << 20)), Processes: 1}
	}
	return samples
}

func TestGrowthIsToldFromWarmUpAndNoise(t *testing.T) {
	tests := []struct {
		name    string
		samples []Sample
		grew    bool
	}{
		{"flat after a warm-up", series(3600, 22, 4, 0), false},
		{"a kilobyte per event, at 6 events per second", series(3600, 22, 4, 6./1024), true},
		{"ten bytes per event", series(3600, 22, 4, 60./(1<<20)), false},
		{"a leak in a large process", series(3600, 200, 20, 0.05), true},
		{"too few samples to tell", series(minSamples-1, 22, 4, 1), false},
		{"none", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := memoryOf("worker", tt.samples)
			if got := m.Grew() != ""; got != tt.grew {
				t.Errorf("grew is %v: %+v", got, m)
			}
			if r := (Report{Worker: m}); (len(r.Wrong()) > 0) != tt.grew {
				t.Errorf("the report says %q", r.Wrong())
			}
		})
	}
}
