// Command scale prints what docs/scale.md says of large loads: computed from the bounds,
// the settings of the synthesized template, the recorded counts of make cost and AWS's
// quotas, beside what the simulation recorded. With -update it simulates anew, and writes
// the tables of docs/scale.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/scale"
	"gitlab.com/lorehook/lorehook/test/written"
)

func main() {
	update := flag.Bool("update", false, "simulate, and write the tables of docs/scale.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *update); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, update bool) error {
	root, template, err := cost.Checkout(ctx)
	if err != nil {
		return err
	}
	deployed, err := scale.Read(template)
	if err != nil {
		return err
	}
	counts, err := cost.Recorded()
	if err != nil {
		return err
	}
	if update {
		fmt.Fprintln(os.Stderr, "Simulating …")
		// The simulation needs the bubble of a test.
		test := exec.CommandContext(ctx, "go", "test", "./test/scale", "-count=1", "-run", "^TestSimulation_", "-args", "-record")
		test.Dir, test.Stdout, test.Stderr = root, os.Stderr, os.Stderr
		if err := test.Run(); err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
	}
	simulated, err := scale.Recorded(root)
	if err != nil {
		return err
	}
	text := deployed.Markdown(counts, simulated)
	fmt.Print(text)
	if !update {
		return nil
	}
	return written.Part{Target: "scale"}.Replace(filepath.Join(root, "docs", "scale.md"), text)
}
