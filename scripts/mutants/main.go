// Command mutants breaks the code on purpose, one rule at a time, and asks the
// suites to notice: the model, the conformance suite on a real engine, and the
// invariants' tests. It prints how many of the mutations were caught, by which
// suite, and the names of those that were not; with a survivor it ends with
// exit code 1. Arguments restrict it to mutations whose name contains one of
// them.
//
// The tree stays as it is: a mutated file is laid over its original for the
// compiler alone (go test -overlay).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

var errSurvived = errors.New("not every mutation was caught")

func run(ctx context.Context, names []string) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	chosen := choose(mutations(), names)
	if len(chosen) == 0 {
		return fmt.Errorf("no mutation is named like %q", names)
	}
	if err := sound(ctx, root, chosen); err != nil {
		return err
	}
	var survivors []string
	var mu sync.Mutex // guards survivors and the order of lines
	tried := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, m := range chosen {
		group.Go(func() error {
			began := time.Now()
			by, err := m.caughtBy(ctx, root)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			verdict := "caught by " + by
			switch {
			case err != nil:
				verdict, survivors = "BROKEN", append(survivors, fmt.Sprintf("%s: %v", m.name, err))
			case by == "":
				verdict, survivors = "SURVIVED", append(survivors, m.name)
			}
			tried++
			fmt.Printf("%3d of %d  %-70s %-28s %4.0f s\n", tried, len(chosen), m.name, verdict, time.Since(began).Seconds())
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Printf("\nCaught %d of %d.\n", len(chosen)-len(survivors), len(chosen))
	if len(survivors) > 0 {
		fmt.Printf("Survivors:\n  %s\n", strings.Join(survivors, "\n  "))
		return errSurvived
	}
	return nil
}

func choose(all []mutation, names []string) []mutation {
	if len(names) == 0 {
		return all
	}
	var chosen []mutation
	for _, m := range all {
		for _, name := range names {
			if strings.Contains(m.name, name) {
				chosen = append(chosen, m)
				break
			}
		}
	}
	return chosen
}
