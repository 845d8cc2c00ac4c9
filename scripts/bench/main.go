// Command bench measures what a change costs: write units of the content table,
// requests and round trips to GitLab, calls to DynamoDB and time, and what
// watching it takes: bytes of logs and metrics. It also measures the requests and times
// of a backfill, of a reconcile with nothing to do and of a census. What all that costs
// is computed from the counts of package cost. Where there is a floor, it is measured in
// the same run. docs/performance.md explains each line.
//
// It prints a table and writes .local/bench.json; its exit code is 1 if a figure misses
// what is promised, unless that is known. With words as arguments, it measures only the
// parts whose names contain one of them, and writes nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// part is a part of the table that can be measured by itself.
type part struct {
	name    string
	measure func(context.Context) ([]figure, error)
}

// parts returns all parts, in the table's order.
func parts() []part {
	return []part{
		{"webhook", handling},
		{"start", starting},
		{"changes", changes},
		{"growing", growing},
		{"burst", simulated("TestManyCommentsOnOneIssue_TakeFewRequestsAndAreShownSoon")},
		{"fresh", simulated("TestAChange_IsShownAfterTheSettleTimeAndTwoRoundTrips")},
		{"ingest-waits", simulated("TestAnIngest_WaitsForDynamoDBLessThanFourTransactions")},
		{"ingest", ingesting},
		{"paging", paging},
		{"memory", peaks},
		{"search", searching},
		{"search-fresh", simulated("TestAChange_IsFindableSoonAfterItsWebhook")},
		{"paying", paying},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) error {
	var figures []figure
	for _, p := range parts() {
		if !chosen(p.name, words) {
			continue
		}
		fmt.Fprintf(os.Stderr, "Measuring %s …\n", p.name)
		measured, err := p.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		figures = append(figures, measured...)
	}
	print(figures)
	if len(words) == 0 {
		root, err := devstack.Root()
		if err != nil {
			return err
		}
		if err := write(filepath.Join(root, ".local", "bench.json"), figures); err != nil {
			return err
		}
		fmt.Printf("\nWritten to %s.\n", filepath.Join(".local", "bench.json"))
	}
	return beyond(figures)
}

// chosen reports whether a part is to be measured; without words, every one is.
func chosen(name string, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

// changes measures changes, with the tables in a local DynamoDB.
func changes(ctx context.Context) ([]figure, error) {
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
	return measure(ctx, engine.URL)
}
