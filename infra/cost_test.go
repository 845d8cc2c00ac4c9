package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/infra/prices"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/written"
)

// calculated returns what the stack with default settings costs, by the counts that make
// cost recorded.
func calculated(t *testing.T) (cost.Stack, cost.Counts) {
	t.Helper()
	stack, err := cost.Read(onAWS(t).Text)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := cost.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	return stack, counts
}

func TestTheTablesOfCostsAreCalculated(t *testing.T) {
	stack, counts := calculated(t)
	got, err := written.Part{Target: "cost"}.Of(read(t, "../docs/cost.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(stack.Markdown(counts)), got); diff != "" {
		t.Errorf("docs/cost.md is not what make cost UPDATE=1 writes (-want +got):\n%s", diff)
	}
}

// What is promised of costs holds, but for what docs/cost.md says does not.
func TestAnIdleStackCostsNoMoreThanPromised(t *testing.T) {
	stack, counts := calculated(t)
	for _, f := range stack.Figures(counts) {
		if f.Name == "idle" && f.Value > f.Reach {
			t.Errorf("it costs $%.2f a month, promised are $%g", f.Value, f.Reach)
		}
	}
	for _, f := range stack.Figures(counts) {
		if want := fmt.Sprintf("cost about $%.2f, with the embedder", f.Value); f.Name == "1,000 copies: made" && !strings.Contains(read(t, "../docs/deploy.md"), want) {
			t.Errorf("docs/deploy.md does not say %q", want)
		}
	}
	readme := read(t, "../README.md")
	for _, want := range stack.Sentences(counts) {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}

// A change of an issue of one page is what make cost counts.
func TestTheCallsOfAChangeAreAsDocumented(t *testing.T) {
	_, counts := calculated(t)
	ofFunction := func(name string) float64 {
		calls := counts.Changes[0].Functions[name].Calls
		return calls["dynamodb"] + calls["transaction"]
	}
	worker, docs, finish := ofFunction("worker"), ofFunction("docs"), ofFunction("finish")
	want := fmt.Sprintf("takes %.0f calls: worker %.0f, docs %.0f, finish %.0f", worker+docs+finish, worker, docs, finish)
	if !strings.Contains(read(t, "../docs/data-model.md"), want) || ofFunction("embed") != 0 {
		t.Errorf("docs/data-model.md does not say %q, or embed has %.0f calls", want, ofFunction("embed"))
	}
}

// metricsAtMost counts the metrics that are paid for if every dimension takes every
// value in an hour.
func metricsAtMost() int {
	n := 0
	for _, m := range metrics.All() {
		for _, set := range m.Sets {
			combinations := 1
			for _, dimension := range set {
				combinations *= len(dimension.Values())
			}
			n += combinations
		}
	}
	return n
}

// docs/cost.md names the metrics at most, and the dashboard's queries.
func TestTheCostOfMetricsAndQueriesIsAsDocumented(t *testing.T) {
	queries := 0
	for _, w := range dashboard(t, onAWS(t)) {
		if w.Type == "log" {
			queries++
		}
	}
	text := read(t, "../docs/cost.md")
	for _, want := range []string{
		fmt.Sprintf("%d metrics, $%.2f a month", metricsAtMost(), float64(metricsAtMost())*prices.MetricMonth),
		fmt.Sprintf("own %s queries", []string{"no", "one", "two", "three", "four", "five", "six", "seven"}[queries]),
		prices.Of,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("docs/cost.md does not say %q", want)
		}
	}
}
