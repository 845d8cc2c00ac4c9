package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// A batch of the worker has batchSize entities, each with entityNotes comments; a half of
// a pair has batches of them. There are rounds pairs, an odd number.
const batchSize, batches, rounds, entityNotes = 10, 4, 15, 5

// ingesting measures how many entities a worker copies a second, from its batch of messages
// to their commits, against transactions of two items on the same local DynamoDB, as many
// at a time. They take turns, so that whatever slows the machine slows both.
func ingesting(ctx context.Context) (figures []figure, err error) {
	dir, err := os.MkdirTemp("", "lorehook-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	engine, err := devstack.Ministack(ctx, devstack.Options{Dir: dir})
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
	counted := &calls{}
	counted.reset()
	w := cloud.NewWorld(t, cloud.Intercept(db, func(_ context.Context, call cloud.Call, send func() error) error {
		counted.count(call.Operation, call.Input)
		return send()
	}), names)
	iid, key := int64(1000), 0
	copies := func() {
		for range batches {
			for range batchSize {
				iid++
				w.GitLab.SetIssue(fakegitlab.NewIssue(iid, fmt.Sprint("Issue ", iid), "What it is about.", fakegitlab.Time{Time: w.Clock.Now()}))
				for n := range entityNotes {
					w.GitLab.AddDiscussion(fakegitlab.IssueRef(iid), fakegitlab.Note{Body: fmt.Sprint("Comment ", n)})
				}
				w.Send(w.Request(surgical.OriginWebhook, fakegitlab.IssueRef(iid)))
			}
			w.Clock.Advance(surgical.Settle + time.Second)
			answer, err := w.Batch(nil).Handle(t.Context(), w.Sent())
			if err != nil || len(answer.BatchItemFailures) > 0 {
				t.Fatalf("the worker left %d messages, error %v", len(answer.BatchItemFailures), err)
			}
			w.Forget() // docs and embed are not ingest
		}
	}
	transactions := func() {
		for range batches {
			var all sync.WaitGroup
			for range batchSize {
				key++
				mine := key
				all.Go(func() { put(t, db, names.Content, mine) })
			}
			all.Wait()
		}
	}
	copies()
	perEntity := float64(counted.total()) / (batches * batchSize)
	transactions()
	var rates, floors, ratios []float64
	for range rounds {
		floor, rate := rateOf(transactions), rateOf(copies)
		rates, floors, ratios = append(rates, rate), append(floors, floor), append(ratios, rate/floor)
	}
	f := newFigure(fmt.Sprintf("ingest of new issues with %d comments, %d at a time", entityNotes, batchSize), median(rates), "entities a second", median(floors), 0)
	f.Ratio = median(ratios)
	return []figure{f.atLeast(0.25).notYet(0.03), newFigure("  an entity", perEntity, "calls", 1, 0)}
}

// rateOf is how many entities a second the function does.
func rateOf(do func()) float64 {
	began := time.Now()
	do()
	return batchSize * batches / time.Since(began).Seconds()
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
