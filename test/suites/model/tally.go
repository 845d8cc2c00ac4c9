package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Tally counts what happened in the sequences, to show that they cover what
// they are meant to cover.
type Tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *Tally) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[what] += n
}

// String lists the counts by name.
func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		lines = append(lines, fmt.Sprintf("%8d %s", t.counts[what], what))
	}
	return strings.Join(lines, "\n")
}

// count adds one finished sequence.
func (t *Tally) count(x *explorer) {
	t.add("sequences", 1)
	t.add("calls", x.oracle.steps)
	t.add("changes in GitLab", x.events)
	t.add("fetches", len(x.fetches))
	t.add("acknowledged deliveries", len(x.acknowledged))
	t.add("dead letters", len(x.dead.Messages()))
	for name, n := range x.happened {
		t.add(name, n)
	}
	for _, id := range x.oracle.runs {
		if run, err := x.oracle.ledger.Run(background(), id); err == nil {
			t.run(run)
		}
	}
}

func (t *Tally) run(run surgical.Run) {
	t.add(fmt.Sprintf("runs %s", run.Status), 1)
	t.add("runs of origin "+string(run.Origin), 1)
	if run.Error != nil {
		t.add("runs with error "+string(run.Error.Code), 1)
	}
	for name, is := range map[string]bool{
		"runs coalesced":                run.CoalescedWith != "",
		"runs with lost leases":         run.LostLeases > 0,
		"runs with failed attempts":     run.FailedAttempts > 0,
		"runs with several attempts":    run.Attempt > 1 && run.FailedAttempts+run.LostLeases < run.Attempt-1,
		"runs with several generations": run.Generation > 1,
		"runs retried":                  run.RetriedBy != "",
		"runs with aborted jobs":        run.Counters.JobsAborted > 0,
	} {
		if is {
			t.add(name, 1)
		}
	}
	for _, outcome := range run.Outcomes {
		t.add("targets "+string(outcome.Status), 1)
	}
}
