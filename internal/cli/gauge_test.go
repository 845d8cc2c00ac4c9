package cli

import (
	"testing"
	"time"
)

func TestGauge_MeasuresFromItsFirstUse(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	var g gauge
	for _, c := range []struct {
		after       time.Duration
		done, total int64
		want        string
	}{
		{0, 100, 200, "[############------------] 100 of 200, 50%"},
		{10 * time.Second, 150, 200, "[##################------] 150 of 200, 75%  5.0/s  ETA 10.0 s"},
		{20 * time.Second, 210, 200, "[########################] 200 of 200, 100%  5.0/s"},
		{20 * time.Second, 1, 0, "1 entity"},
		{20 * time.Second, 150, 0, "150 entities  2.5/s"},
	} {
		if got := g.text(c.done, c.total, at.Add(c.after)); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.done, c.total, got, c.want)
		}
	}
}

func TestGauge_ShowsNoRateBeforeItMeansSomething(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	g := gauge{patience: ratePatience}
	for _, c := range []struct {
		after time.Duration
		done  int64
		want  string
	}{
		{0, 0, "[------------------------] 0 of 400, 0%"},
		{ratePatience - time.Second, 100, "[######------------------] 100 of 400, 25%"}, // counted in one step
		{ratePatience, 240, "[##############----------] 240 of 400, 60%  4.0/s  ETA 40.0 s"},
	} {
		if got := g.text(c.done, 400, at.Add(c.after)); got != c.want {
			t.Errorf("after %s: %q, want %q", c.after, got, c.want)
		}
	}
}
