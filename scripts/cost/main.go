// Command cost counts what the functions use of AWS, and prints what that costs at list
// prices: idle, for a million changes, for copies and for searches. With -update it
// records the counts in test/cost/counts.json, and writes the tables of docs/cost.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/written"
)

func main() {
	update := flag.Bool("update", false, "record the counts, and write the tables of docs/cost.md")
	recorded := flag.Bool("recorded", false, "use the recorded counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *update, *recorded); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, update, recorded bool) error {
	root, template, err := cost.Checkout(ctx)
	if err != nil {
		return err
	}
	stack, err := cost.Read(template)
	if err != nil {
		return err
	}
	counts, err := cost.Recorded()
	if err == nil && !recorded {
		fmt.Fprintln(os.Stderr, "Counting, which takes a minute or two …")
		err = cloud.Run(ctx, func(t cloud.TB) { counts = cost.Count(t) })
	}
	if err != nil {
		return err
	}
	fmt.Print(stack.Markdown(counts))
	if !update {
		return nil
	}
	text, err := json.MarshalIndent(counts, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "test", "cost", "counts.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return written.Part{Target: "cost"}.Replace(filepath.Join(root, "docs", "cost.md"), stack.Markdown(counts))
}
