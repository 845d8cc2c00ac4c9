package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// account adds up DynamoDB's units by AWS's rules, by function and table.
type account struct {
	content string

	mu sync.Mutex // guards the sums
	// ingested is what the worker writes to the content table, derived what docs and embed
	// write to it, and control what all functions write to other tables.
	ingested, derived, control float64
	reads                      float64
}

// watch sends the call, and books what it consumed. Calls of no process are the worker's.
func (a *account) watch(ctx context.Context, call cloud.Call, send func() error) error {
	writes, reads, err := cost.ConsumedByTable(call, send)
	a.mu.Lock()
	defer a.mu.Unlock()
	for table, units := range writes {
		switch p := cloud.ProcessOf(ctx); {
		case table != a.content:
			a.control += units
		case p == nil:
			a.ingested += units
		default:
			a.derived += units
		}
	}
	for units := range maps.Values(reads) {
		a.reads += units
	}
	return err
}

func (a *account) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ingested, a.derived, a.control, a.reads = 0, 0, 0, 0
}

// grownIssue says what one new comment may cost on an issue with this many discussions,
// in units. 0 means that nothing is promised.
type grownIssue struct {
	discussions                       int
	ingested, derived, control, reads float64
}

func grownIssues() []grownIssue {
	return []grownIssue{
		{discussions: 10},
		{discussions: 100},
		{discussions: 1000, ingested: 16, derived: 16, control: 30, reads: 60},
		{discussions: 5000, ingested: 30, derived: 30, reads: 120},
	}
}

// growing measures what one new comment costs on issues of different sizes, on the
// DynamoDB in memory, which counts units as AWS documents them. The change feed and the
// index are not in it.
func growing(ctx context.Context) (figures []figure, err error) {
	err = cloud.Run(ctx, func(t cloud.TB) {
		for _, size := range grownIssues() {
			figures = append(figures, grow(t, size)...)
		}
	})
	return figures, err
}

func grow(t cloud.TB, size grownIssue) (figures []figure) {
	db, names := fakedynamodb.New()
	units := &account{content: names.Content}
	w := cloud.NewWorld(t, cloud.Intercept(db.Client(), units.watch), names)
	w.Ledger = ledger.New(db.Client(), names, w.Clock.Now) // the world's own reads are not counted
	w.Invoking = func(function string, invoke func(context.Context) error) error {
		return invoke(cloud.In(t.Context(), function))
	}
	ref := fakegitlab.IssueRef(8)
	for i := range size.discussions {
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("Comment %d: %s", i, strings.Repeat("words ", i%50))})
	}
	w.Webhook(ref)
	w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."}) // what follows the first copy of anything is done with it
	w.Webhook(ref)
	const comments = 9
	var ingested, derived, control, reads []float64
	for i := range comments {
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("One more, number %d: %s", i, strings.Repeat("words ", 60))})
		units.reset()
		if run := w.Webhook(ref); run.Status != surgical.StatusSucceeded {
			t.Fatalf("the run ended as %s", run.Status)
		}
		ingested, derived, control, reads = append(ingested, units.ingested), append(derived, units.derived), append(control, units.control), append(reads, units.reads)
	}
	floor := leastOf(db.Items(names.Content))
	line := func(name string, value, reach float64, unit string) {
		figures = append(figures, newFigure(name, value, unit, 0, reach))
	}
	all := median(ingested) + median(derived) + median(control)
	figures = append(figures, newFigure(fmt.Sprintf("one new comment on %d discussions", size.discussions), all, "write units", floor, 0))
	line("  content, by ingest", median(ingested), size.ingested, "write units")
	line("  content, by docs and embed", median(derived), size.derived, "write units")
	line("  control", median(control), size.control, "write units")
	line("  read", median(reads), size.reads, "read units")
	return figures
}

// leastOf is what writing one comment and the head takes at least, in one transaction, of
// an entity with these items.
func leastOf(items []dynamo.Item) float64 {
	units := 1 // the comment, of less than 1 KB
	for _, item := range items {
		if sk, ok := item["sk"].(*types.AttributeValueMemberS); ok && sk.Value == "head" {
			units += dynamo.WriteUnits(dynamo.ItemSize(item))
		}
	}
	return float64(2 * units)
}
