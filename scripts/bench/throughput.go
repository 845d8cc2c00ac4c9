package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// A batch of the worker has batchSize entities, each with entityNotes comments; a half of
// a pair has batches of them. There are rounds pairs, an odd number.
const batchSize, batches, rounds, entityNotes = 10, 4, 15, 5

// ingesting measures how many entities a worker copies a second, against transactions of
// two items on the same DynamoDB Local, as many at a time. They take turns, so that
// whatever slows the machine slows both.
func ingesting(ctx context.Context) (figures []figure, err error) {
	dir, err := os.MkdirTemp("", "lorehook-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	engine, err := devstack.DynamoDBLocal(ctx, devstack.Options{Dir: dir})
	if errors.Is(err, devstack.ErrNotInstalled) {
		fmt.Fprintln(os.Stderr, "Ingest is measured on simulated time only:", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = engine.Stop() }() // it ends with this process in any case
	err = cloud.Run(ctx, func(t cloud.TB) { figures = ingested(t, engine.URL) })
	return figures, err
}

func ingested(t cloud.TB, url string) []figure {
	db := devstack.DynamoDB(url)
	names, err := devstack.CreateTables(t.Context(), db, prefix)
	if err != nil {
		t.Fatal(err)
	}
	c := newCopying(t, db, names)
	key := 0
	transactions := func() time.Duration {
		began := time.Now()
		for range batches {
			var all sync.WaitGroup
			for range batchSize {
				key++
				mine := key
				all.Go(func() { put(t, db, names.Content, mine) })
			}
			all.Wait()
		}
		return time.Since(began)
	}
	c.whole()
	perEntity := float64(c.counted.total()) / (batches * batchSize)
	transactions()
	of := fmt.Sprintf("new issues with %d comments, %d at a time, on DynamoDB Local", entityNotes, batchSize)
	return []figure{
		against("ingest of "+of, transactions, c.ingest).notYet(0.1),
		against("  from the message to the start of the workflow, with the fetch", transactions, c.whole).notYet(0.06),
		newFigure("  an entity", perEntity, "calls", 1, 0),
	}
}

// against compares how many entities a second the work does with its floor.
func against(name string, floor, work func() time.Duration) figure {
	var rates, floors, ratios []float64
	for range rounds {
		f, w := rateOf(floor()), rateOf(work())
		rates, floors, ratios = append(rates, w), append(floors, f), append(ratios, w/f)
	}
	f := newFigure(name, median(rates), "entities a second", median(floors), 0)
	f.Ratio = median(ratios)
	return f.atLeast(0.25)
}

// rateOf is the number of entities a second if a half of a pair took so long.
func rateOf(took time.Duration) float64 { return batchSize * batches / took.Seconds() }

// copying is a worker that copies new issues.
type copying struct {
	*cloud.World
	counted *calls
	iid     int64

	mu sync.Mutex // guards what follows
	// fetched is closed when every entity of the batch is, or nil if none waits for the others.
	fetched chan struct{}
	waiting int
	// began is when all were fetched, and ended when the last commit so far was answered.
	began, ended time.Time
}

func newCopying(t cloud.TB, db *dynamodb.Client, names config.Tables) *copying {
	c := &copying{counted: &calls{}, iid: 1000}
	c.counted.reset()
	c.World = cloud.NewWorld(t, cloud.Intercept(db, func(_ context.Context, call cloud.Call, send func() error) error {
		c.counted.count(call.Operation, call.Input)
		err := send()
		if isCommit(call) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ended = time.Now()
		}
		return err
	}), names)
	fetch := c.Fetch
	c.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		snap, err := fetch(ctx, ref)
		c.awaitOthers()
		return snap, err
	}
	return c
}

// isCommit reports whether the call makes a fetched entity visible.
func isCommit(call cloud.Call) bool {
	return call.Operation == "TransactWriteItems" && call.Uses("content") && call.Uses("sync_runs")
}

// awaitOthers waits until all entities of the batch are fetched, if that is wanted.
func (c *copying) awaitOthers() {
	c.mu.Lock()
	fetched := c.fetched
	if fetched == nil {
		c.mu.Unlock()
		return
	}
	if c.waiting++; c.waiting == batchSize {
		c.began = time.Now()
		close(fetched)
	}
	c.mu.Unlock()
	<-fetched
}

// whole returns how long it takes from the messages to the starts of the workflows.
func (c *copying) whole() (took time.Duration) {
	for range batches {
		batch := c.next()
		began := time.Now()
		c.handle(batch)
		took += time.Since(began)
	}
	return took
}

// ingest returns how long it takes from when all entities of a batch are fetched to the
// last of their commits.
func (c *copying) ingest() (took time.Duration) {
	for range batches {
		batch := c.next()
		c.fetched, c.waiting = make(chan struct{}), 0
		c.handle(batch)
		c.fetched = nil
		took += c.ended.Sub(c.began)
	}
	return took
}

// next returns the messages about a batch of new issues, after their settle time.
func (c *copying) next() events.SQSEvent {
	for range batchSize {
		c.iid++
		newIssue(c.Cloud, c.iid)
	}
	c.Clock.Advance(surgical.Settle + time.Second)
	return c.Sent()
}

// newIssue adds an issue with comments to GitLab, and sends the request to copy it.
func newIssue(c *cloud.Cloud, iid int64) {
	c.GitLab.SetIssue(fakegitlab.NewIssue(iid, fmt.Sprint("Issue ", iid), "What it is about.", fakegitlab.Time{Time: c.Clock.Now()}))
	for n := range entityNotes {
		c.GitLab.AddDiscussion(fakegitlab.IssueRef(iid), fakegitlab.Note{Body: fmt.Sprint("Comment ", n)})
	}
	c.Send(c.Request(surgical.OriginWebhook, fakegitlab.IssueRef(iid)))
}

// handle leaves out docs and embed, which are not ingest.
func (c *copying) handle(batch events.SQSEvent) {
	answer, err := c.Batch(nil).Handle(c.T.Context(), batch)
	if err != nil || len(answer.BatchItemFailures) > 0 {
		c.T.Fatalf("the worker left %d messages, error %v", len(answer.BatchItemFailures), err)
	}
	c.Forget()
}

// put writes two items of 1 KB in a transaction.
func put(t cloud.TB, db *dynamodb.Client, table string, key int) {
	var items []types.TransactWriteItem
	for i := range 2 {
		items = append(items, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(table), Item: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: fmt.Sprint("floor#", key)}, "sk": &types.AttributeValueMemberS{Value: fmt.Sprint(i)},
			"text": &types.AttributeValueMemberS{Value: strings.Repeat("x", 1000)},
		}}})
	}
	if _, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items}); err != nil {
		t.Errorf("a bare transaction: %v", err)
	}
}
