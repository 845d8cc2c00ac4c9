package scale

import (
	"math"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// Backfill is the first copy of many entities.
type Backfill struct {
	// Requests to GitLab, those for lists included, Rate how many a second.
	Requests, Rate float64
	// Takes is how long it takes.
	Takes time.Duration
	// Embedded is how many requests a minute Bedrock gets, Writes the write units a second.
	Embedded, Writes float64
	// Census is how long it takes to fetch every copy again.
	Census time.Duration
}

// backfill computes the backfill of n entities, each an issue with a few comments. Passes
// leave a part of GitLab's budget to webhooks.
func backfill(n, budget float64, s Setting, c cost.Counts) Backfill {
	b := Backfill{Requests: n*cost.FetchRequests + n/surgical.ListPage}
	b.Rate = math.Min(float64(s.Bulk)*s.Rate, budget*(100-surgical.WebhookReserve)/100)
	each := b.Rate / (b.Requests / n)
	b.Takes = seconds(n / each)
	writes, _ := c.First.Units()
	b.Embedded, b.Writes = 60*each*c.First.Calls(cost.ToEmbedder), each*writes
	step := surgical.CrawlInterval.Seconds() / surgical.MaxCensusRuns
	b.Census = max(surgical.CensusBudget, seconds(n*step))
	return b
}

// forBackfill is the setting with the fewest workers for webhooks, and as high a rate as
// GitLab's budget allows.
func forBackfill(budget float64, bulk int) Setting {
	const fewest = 2 // AWS's minimum
	return Setting{Workers: fewest, Bulk: bulk, Rate: math.Floor(fullRate * budget / float64(fewest+bulk+1))}
}
