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

func TestNewCensus_LooksForWhatIsMissingOnlyInProjectsThatWereComplete(t *testing.T) {
	last := surgical.Pass{ProjectID: 5, Revision: 4}
	first := surgical.NewCensus(last, surgical.Project{}, noon)
	if len(first.Legs) != 1 || !first.Legs[0].Copies || first.Revision != 4 || first.Total() != 0 {
		t.Errorf("never complete: %+v", first)
	}
	complete := surgical.NewCensus(last, surgical.Project{CompleteSince: noon}, noon.Add(1000))
	if len(complete.Legs) != 3 || !complete.Legs[2].Copies || complete.ID == first.ID || complete.Kind.Origin() != surgical.OriginCensus {
		t.Errorf("once complete: %+v", complete)
	}
}

func TestNextCensus_ComesSoonerAfterOneThatFailed(t *testing.T) {
	week := surgical.CensusBudget
	p := surgical.NewCensus(surgical.Pass{ProjectID: 5}, surgical.Project{}, noon)
	p.FinishedAt = noon.Add(48 * time.Hour)
	if got := p.NextCensus(week); !got.Equal(noon.Add(week)) {
		t.Errorf("after one that succeeded at %v", got)
	}
	p.Status = surgical.StatusFailed
	if got := p.NextCensus(week); !got.Equal(p.FinishedAt.Add(surgical.CensusRetry)) {
		t.Errorf("after one that failed at %v", got)
	}
	if got := p.NextCensus(time.Hour); !got.Equal(p.FinishedAt.Add(time.Hour)) {
		t.Errorf("within a budget of an hour at %v", got)
	}
	if first := surgical.FirstCensus(5, week, noon); !first.Listed() || first.Status != surgical.StatusSucceeded || !first.DueAt.Equal(noon.Add(surgical.CensusRetry)) {
		t.Errorf("the first: %+v", first)
	}
}

func TestFind_AddsUpWithoutChangingThePassBefore(t *testing.T) {
	p := surgical.Pass{}
	one := p.Find(map[surgical.Finding]int64{surgical.FoundGone: 2})
	two := one.Find(map[surgical.Finding]int64{surgical.FoundGone: 1, surgical.FoundLabels: 40}).Find(nil)
	if p.Found != nil || one.Found[surgical.FoundGone] != 2 || len(one.Found) != 1 {
		t.Errorf("earlier passes changed: %v, %v", p.Found, one.Found)
	}
	two.ID, two.StartedAt = "c", noon
	two.Counts = surgical.PassCounts{Listed: 50, Done: 45, Failed: 3, Requests: 240}
	result := two.Census(noon.Add(time.Hour))
	if got := surgical.DescribeFindings(result.Found); got != "3 gone, 40 labels" || result.Listed != 50 || result.Fetched != 45 || result.Failed != 3 || result.Requests != 240 || !result.EndedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%q, %+v", got, result)
	}
}
