package scale

import (
	"fmt"
	"math"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// Limit is how much of a limit is used.
type Limit struct {
	Name          string
	Used, Allowed float64
	// Then is what happens beyond it, and what to do.
	Then string
}

// share is the used part; 1 is the limit.
func (l Limit) share() float64 { return l.Used / l.Allowed }

// limits are those of a load that lasts, the one that is reached first in front.
func (d Deployed) limits(l Load, c cost.Counts) []Limit {
	t := d.timesOf(c)
	r := steady(l, d.Setting, t)
	unlimited := steady(Load{l.Events, l.Entities, 1e9, l.Requests}, Setting{Workers: 1e6, Bulk: d.Bulk, Rate: 1e3}, t)
	change := c.WithComments(r.Coalescing)
	covered, _ := c.Covered.Units()
	changed, _ := change.Units()
	// Each event has a run, and its runs share the keys of indexes.
	running := d.Seconds(c.Covered, "webhook")*l.Events + float64(d.Workers)
	for _, stage := range []string{"docs", "embed", "finish"} {
		running += r.Fetches * d.Seconds(change, stage)
	}
	calls := "webhooks get 503. Every partition of a queue with high throughput takes as many, and SQS has more of them as they are needed"
	if !d.HighThroughput {
		calls = "webhooks get 503. Turn high throughput on"
	}
	all := []Limit{
		{"requests to GitLab a second, if nothing waited", unlimited.Fetches * l.Requests, l.Budget, "events are coalesced, and the lag grows. Only a higher limit helps"},
		{"requests a second that workers allow themselves", unlimited.Fetches * l.Requests, float64(d.Workers) * d.Rate, "events are coalesced, and the lag grows. Raise the settings, up to what GitLab allows"},
		{"messages a second, if each batch has one entity's", l.Events, r.Fewest, "the queue grows while that lasts, and events show ever later. Raise `workerConcurrency`"},
		{"messages a second, if each batch has those of ten", l.Events, r.Most, "the queue grows however SQS fills batches. Raise `workerConcurrency`"},
		{"requests a minute to Bedrock, if each event is a new comment", 60 * l.Events, bedrockRequests, "vectors lag behind; texts are found by words until then. Ask AWS for more, or deploy with `embedder=lexical`. Raise `embedderConcurrency` with the quota"},
		{"blocks a second of each feed", blocks(l, l.Events*covered+r.Fetches*changed), 1 / (blockCalls * cost.CallTime().Seconds()), "an upper bound: every event is committed on its own. The feed, and the index behind it, lag; nothing is lost for 20 hours"},
		{"units a second of one status in the index of runs", t.status * l.Events, surgical.PartitionWriteUnits, "the writes of runs are throttled and repeated, so messages take longer. Nothing to configure"},
		{"units a second of one project in the index of runs", c.Covered.Hottest["sync_runs.runs_by_project"] * l.Events, surgical.PartitionWriteUnits, "if one project gets all events, the writes of runs are throttled and repeated"},
		{"read units a second of the row of the pause", pauseReads * l.Events, partitionReads, "throttled reads are repeated. Nothing to configure"},
		{"write units a second, as if all were in one table", l.Events*covered + r.Fetches*changed, newTableWrites, fmt.Sprintf("a new table takes %s, doubles within minutes, and takes up to %s", thousands(newTableWrites), thousands(tableWrites))},
		{"requests a second through the API's stage", l.Events, d.RequestsPerSecond, fmt.Sprintf("beyond a burst of %.0f, GitLab gets 429, and does not deliver again; a reconcile finds what was lost. `requestsPerSecond` in `infra/http.go`", d.Burst)},
		{"requests a second through the account's API Gateway", l.Events, gatewayRequests, "GitLab gets 429, and does not deliver again. Ask AWS for more"},
		{"messages sent a second, as if the queue had one partition", l.Events, fifoCalls, calls},
		{"messages received and not deleted", float64(d.Workers * surgical.BatchSize), inFlight, "SQS delivers no more until some are deleted"},
		{"messages that wait", r.Waiting, looked, "SQS looks at the first of them only: an entity whose first message is behind them waits until enough of those in front are processed. Below that, nothing is held up"},
		{"invocations at a time", running, concurrency, fmt.Sprintf("webhooks get 503, stages are tried again. New accounts have %d: ask for more first, then set `webhookReservedConcurrency`", newConcurrency)},
		{"executions started a second", r.Fetches, starts, "runs are postponed"},
		{"readings of secrets a second", running / secretEvery.Seconds(), secretReads, "the value in use is kept for 15 minutes"},
	}
	slices.SortStableFunc(all, func(a, b Limit) int {
		switch {
		case a.share() > b.share():
			return -1
		case a.share() < b.share():
			return 1
		}
		return 0
	})
	return all
}

// pauseReads is how many read units each message takes from the row that says until when
// all workers pause: a consistent read of a small item.
const pauseReads = 1

const (
	// blockCalls are those that a block takes, one after another: a query that has seen the
	// block before, and a put.
	blockCalls = 2
	// recordsOfChange are those of a commit, a document and its embeddings.
	recordsOfChange = 3
)

// blocks is how many blocks a second a feed gets at most: each shard of the stream has a
// batch in every window, and full ones in addition. A shard is a partition of the table, as
// if all write units were in the content table.
func blocks(l Load, units float64) float64 {
	shards := math.Ceil(max(units, newTableWrites) / surgical.PartitionWriteUnits)
	return shards/surgical.FeedWindow.Seconds() + recordsOfChange*l.Events/surgical.FeedBatch
}
