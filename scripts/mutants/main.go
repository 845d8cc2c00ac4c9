// Command mutants breaks the code on purpose, one rule at a time, and checks
// that tests notice: first the tests of the packages that own the mutated
// files, quick ones before slow ones, then the suites (the model, the conformance
// suite on a real engine, the invariants, recovery). Each of these sets of tests has
// to pass without a mutation first. For each mutation it prints whether its own
// package caught it, which suite did, and how long that took. It ends with one
// score, and with exit code 1 if a mutation survived.
//
//	mutants [-fast] [-again] [NAME]...
//
// NAMEs restrict it to the mutations whose name contains one of them. Results
// are saved in .local/mutants.json after each mutation, so an interrupted run
// continues where it stopped. Results for other sources are never reused.
//
// The tree is not changed: only the compiler sees the mutated file instead of
// the original (go test -overlay).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

func main() {
	fast := flag.Bool("fast", false, "skip the suites for a mutation that its own package caught")
	again := flag.Bool("again", false, "ignore saved results and start over")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *fast, *again, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

var errSurvived = errors.New("not every mutation was caught")

func run(ctx context.Context, fast, again bool, names []string) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	chosen := choose(mutations(), names)
	if len(chosen) == 0 {
		return fmt.Errorf("no mutation has a name like %q", names)
	}
	saved, err := open(filepath.Join(root, ".local", "mutants.json"), root, again)
	if err != nil {
		return err
	}
	results, err := try(ctx, &soundness{root: root, saved: saved, suites: map[string]func() error{}}, chosen, fast)
	if err != nil {
		return err
	}
	text, all := score(results)
	fmt.Print("\n", text)
	if !all {
		return errSurvived
	}
	return nil
}

// try returns the result of every chosen mutation, in their order. It runs as
// many at once as there are CPUs, and prints each as it ends.
func try(ctx context.Context, sound *soundness, chosen []mutation, fast bool) ([]result, error) {
	results := make([]result, len(chosen))
	saved := sound.saved
	var mu sync.Mutex // guards tried and the order of lines
	tried := 0
	report := func(r result, from string) {
		tried++
		fmt.Printf("%3d of %d  %s%s\n", tried, len(chosen), r.line(), from)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, m := range chosen {
		if r, ok := saved.result(m.name, fast); ok {
			mu.Lock()
			results[i] = r
			report(r, "  (saved)")
			mu.Unlock()
			continue
		}
		group.Go(func() error {
			r, err := m.try(ctx, sound, fast)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			results[i] = r
			report(r, "")
			return saved.keep(r)
		})
	}
	return results, group.Wait()
}

// score sums up the results, and reports whether every mutation was caught.
func score(results []result) (text string, all bool) {
	var survivors, foreign []string
	for _, r := range results {
		switch {
		case r.Broken != "":
			survivors = append(survivors, r.Name+": "+r.Broken)
		case !r.caught():
			survivors = append(survivors, r.Name)
		}
		if !r.Own {
			foreign = append(foreign, fmt.Sprintf("%s (%s)", r.Name, strings.Join(r.Packages, ", ")))
		}
	}
	var b strings.Builder
	list := func(title string, names []string) {
		if len(names) > 0 {
			fmt.Fprintf(&b, "%s:\n  %s\n", title, strings.Join(names, "\n  "))
		}
	}
	list("Not caught by their own package's tests", foreign)
	list("Survivors", survivors)
	fmt.Fprintf(&b, "Caught %d of %d; %d by their own package's tests.\n",
		len(results)-len(survivors), len(results), len(results)-len(foreign))
	return b.String(), len(survivors) == 0
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
