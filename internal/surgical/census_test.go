package surgical_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestCensusPace_SpreadsWhatIsLeftOverTheBudget(t *testing.T) {
	began := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	week := surgical.CensusBudget
	for _, c := range []struct {
		left, step int64
		at, wait   time.Duration
	}{
		{5, 10, 0, week},                                 // one step for all
		{12_000, 10, 0, week / 1200},                     // every 8.4 minutes
		{6_000, 10, week / 2, week / 1200},               // on time
		{12_000, 10, week / 2, week / 2400},              // late
		{200_000, 20, 0, week / 10_000},                  // each time the crawler starts
		{5_000_000, surgical.ListPage, 0, week / 50_000}, // more than that is not allowed
		{100, surgical.ListPage, week, 0},                // the budget is spent
		{0, surgical.ListPage, week / 2, 0},
	} {
		step, wait := surgical.Pass{StartedAt: began}.CensusPace(c.left, week, began.Add(c.at))
		if step != c.step || wait != c.wait {
			t.Errorf("CensusPace of %d after %v: %d every %v, want %d every %v", c.left, c.at, step, wait, c.step, c.wait)
		}
	}
}

func TestCensusPace_EndsWithinItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := time.Duration(rapid.IntRange(1, 90).Draw(t, "days")) * 24 * time.Hour
		left := rapid.Int64Range(1, 20_000).Draw(t, "copies")
		p := surgical.Pass{StartedAt: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
		now := p.StartedAt
		for left > 0 {
			step, wait := p.CensusPace(left, budget, now)
			if left -= step; left > 0 {
				now = now.Add(wait).Truncate(surgical.CrawlInterval).Add(surgical.CrawlInterval) // the crawler's next start
			}
		}
		if took := now.Sub(p.StartedAt); took > budget+surgical.CrawlInterval {
			t.Fatalf("it took %v of %v", took, budget)
		}
	})
}

func TestAged_LeavesOutWhatIsYoungerOrGone(t *testing.T) {
	began := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	p := surgical.Pass{StartedAt: began}
	copied := surgical.Head{Revision: 2, RunID: "r", FetchedAt: began.Add(-1)}
	gone, young := copied, copied
	gone.Gone, young.FetchedAt = true, began
	if !p.Aged(copied) || p.Aged(gone) || p.Aged(young) || p.Aged(surgical.Head{}) {
		t.Errorf("%t, %t, %t, %t", p.Aged(copied), p.Aged(gone), p.Aged(young), p.Aged(surgical.Head{}))
	}
}
