// Command bench measures what a change costs: write units of the content table,
// requests and round trips to GitLab, calls to DynamoDB and time, and what
// watching it takes: bytes of logs and metrics. It also measures the requests and times
// of a backfill, of a reconcile with nothing to do and of a census. What all that costs
// is computed from the counts of package cost. It prints a table and writes
// .local/bench.json; its exit code is 1 if a figure exceeds its limit. Times depend on
// this machine and its engine; units and requests do not.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lorehook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "Starting the local DynamoDB …")
	engine, err := devstack.Ministack(ctx, devstack.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { _ = engine.Stop() }() // it ends with this process in any case
	figures, err := measure(ctx, engine.URL)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Building a search index of 100,000 chunks, which takes a minute or two …")
	found, err := searching(ctx)
	if err != nil {
		return err
	}
	figures = append(figures, found...)
	paid, err := paying(ctx, root)
	if err != nil {
		return err
	}
	figures = append(figures, paid...)
	print(figures)
	path := filepath.Join(root, ".local", "bench.json")
	if err := write(path, figures); err != nil {
		return err
	}
	fmt.Printf("\nWritten to %s.\n", filepath.Join(".local", "bench.json"))
	return beyond(figures)
}
