package main

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// An ingest waits for DynamoDB no longer than four transactions of two items would, however
// long calls take: where calls about different items do not wait for each other, that is
// its rate.
func TestAnIngest_WaitsForDynamoDBLessThanFourTransactions(t *testing.T) {
	var assumed, alike copied
	transaction := cost.Latency(cloud.Call{Operation: "TransactWriteItems"})
	simulate(t, func(c *cloud.Cloud) { assumed = copyBatch(c, cost.Latency) })
	simulate(t, func(c *cloud.Cloud) { alike = copyBatch(c, func(cloud.Call) time.Duration { return transaction }) })
	floor := batchSize / transaction.Seconds()
	name := fmt.Sprintf("ingest of new issues with %d comments, %d at a time, on simulated time", entityNotes, batchSize)
	report(t,
		newFigure(name, batchSize/assumed.ingest.Seconds(), "entities a second", floor, 0).atLeast(0.25),
		newFigure("  round trips to DynamoDB in it", math.Round(float64(alike.ingest)/float64(transaction)), "round trips", 1, 3),
		newFigure("  from the message to the start of the workflow, with the fetch", batchSize/assumed.whole.Seconds(), "entities a second", floor, 0),
		newFigure("  the same without the fetch", batchSize/(assumed.whole-gitlabLatency).Seconds(), "entities a second", floor, 0))
}

// copied is how long a batch took: ingest from when its entities were fetched to the last
// commit, whole from its messages to the starts of its workflows.
type copied struct{ ingest, whole time.Duration }

// copyBatch lets a worker copy a batch of new issues. Calls to AWS take the latency.
func copyBatch(c *cloud.Cloud, latency func(cloud.Call) time.Duration) (took copied) {
	for iid := range int64(2 * batchSize) {
		newIssue(c, 1000+iid)
	}
	var fetched, committed time.Time
	c.Around = func(_ context.Context, call cloud.Call, send func() error) error {
		if call.Service == cloud.GitLab {
			time.Sleep(gitlabLatency)
			fetched = time.Now()
			return send()
		}
		time.Sleep(latency(call))
		if isCommit(call) {
			committed = time.Now()
		}
		return send()
	}
	time.Sleep(surgical.Settle + time.Second)
	c.Poll(c.Requests) // the project's path is stored with the first
	began := time.Now()
	c.Poll(c.Requests)
	return copied{committed.Sub(fetched), time.Since(began)}
}
