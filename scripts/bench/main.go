// Command bench measures what a change costs: write units of the content table,
// requests and round trips to GitLab, calls to DynamoDB and time, and what
// watching it costs: metrics, logs and traces, by list prices. It also measures the
// requests and times of a backfill, of a reconcile with nothing to do and of a census,
// and what a first copy costs. It prints a
// table and writes .local/bench.json; its exit code is 1 if a figure exceeds
// its limit. Times depend on this machine and its engine; units and requests do
// not.
package main

import (
	"context"
	"encoding/json"
	"errors"
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
	print(figures)
	path := filepath.Join(root, ".local", "bench.json")
	if err := write(path, figures); err != nil {
		return err
	}
	fmt.Printf("\nWritten to %s.\n", filepath.Join(".local", "bench.json"))
	return beyond(figures)
}

// figure is one line of the table.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Limit is the promised maximum; 0 means none.
	Limit float64 `json:"limit,omitempty"`
}

func print(figures []figure) {
	fmt.Printf("\n%-62s %10s  %-18s %s\n", "", "measured", "unit", "promised")
	for _, f := range figures {
		limit := ""
		if f.Limit > 0 {
			limit = fmt.Sprintf("at most %g", f.Limit)
		}
		fmt.Printf("%-62s %10.5g  %-18s %s\n", f.Name, f.Value, f.Unit, limit)
	}
}

func write(path string, figures []figure) error {
	out, err := json.MarshalIndent(map[string]any{"figures": figures}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(out, '\n'), 0o644)
}

func beyond(figures []figure) error {
	var errs []error
	for _, f := range figures {
		if f.Limit > 0 && f.Value > f.Limit {
			errs = append(errs, fmt.Errorf("%s: %g %s, promised at most %g", f.Name, f.Value, f.Unit, f.Limit))
		}
	}
	return errors.Join(errs...)
}
