package scale

import (
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// The assumptions, beside those of package cost.
const (
	// wholeSecond is how much longer than it should a message is hidden on average: SQS
	// hides for whole seconds.
	wholeSecond = time.Second / 2
	// lasting is how long a busy time or an outage lasts.
	lasting = time.Hour
	// fullRate is the highest part of GitLab's budget that settings may use, so that
	// nobody has to pause.
	fullRate = 1.0
	// leastRate is the lowest gitlabRequestsPerSecond that is advised: below it, a worker
	// takes longer than half a minute for a batch of ten entities.
	leastRate = 2
	// entities is how many backfill copies.
	entities = 1_000_000
	// secretEvery is the time between two readings of a secret by one busy instance.
	secretEvery = surgical.SecretRefreshAge
)

// assumptions are the lines of the document.
func assumptions() []string {
	return []string{
		fmt.Sprintf("Events are spread evenly over the entities and over time, each is a new comment of some 400 characters, and GitLab answers within %s.", span(cost.FetchTime())),
		"An entity has one page of each list, unless its comments are counted.",
		fmt.Sprintf("Lambda takes %s from the end of one batch to the start of the next: two calls to SQS, and an invocation.", span(cost.Between())),
		fmt.Sprintf("SQS hides messages for whole seconds, on average %s longer than asked for.", span(wholeSecond)),
		"SQS fills a batch with messages of one group where it can (as AWS documents), or with those of different groups, oldest first. What workers can do is between the two; the simulation has the second.",
		"Calls take as long as [cost.md](cost.md#what-is-assumed) assumes, and prices are those there.",
		"More comments in one fetch cost what more comments cost in the first copy of an issue.",
		fmt.Sprintf("Bedrock answers %s requests a minute, the smallest quota that `embedderConcurrency` is made for; Service Quotas shows an account's own.", thousands(bedrockRequests)),
	}
}
