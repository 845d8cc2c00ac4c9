package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parallelReads is the number of entities or runs that are read concurrently.
const parallelReads = 8

// Account counts the outcomes of the acknowledged events; a duplicate counts
// with the event that it repeats.
type Account struct {
	Events int `json:"events"`
	// Committed and Coalesced events are in the content plane, by their own
	// fetch or that of another run.
	Committed    int `json:"committed"`
	Coalesced    int `json:"coalesced"`
	SkippedStale int `json:"skipped_stale"`
	// Failed and Cancelled runs contain their request and a reason; DeadLetters
	// are dead-lettered messages without such a run.
	Failed      map[surgical.Code]int `json:"failed"`
	Cancelled   int                   `json:"cancelled"`
	DeadLetters int                   `json:"dead_letters"`
	// Wrong lists events that are lost or whose run does not match the stored
	// copy.
	Wrong []string `json:"wrong"`
	// Attempts is the total for all runs.
	Attempts int64 `json:"attempts"`
	// P50 and P95 are percentiles of the seconds from an event's receipt to the
	// end of its run.
	P50 float64 `json:"p50_seconds"`
	P95 float64 `json:"p95_seconds"`
}

// account finds the outcome of every event. runs are those that the endpoint
// named, by the number of their change.
func (t *Target) account(ctx context.Context, runs map[int]string, of func(change int) surgical.EntityRef) (Account, error) {
	a := Account{Events: len(runs), Failed: map[surgical.Code]int{}, Wrong: []string{}}
	dead, unreadable, err := t.deadLetters(ctx)
	if err != nil {
		return a, err
	}
	if unreadable > 0 {
		a.Wrong = append(a.Wrong, fmt.Sprintf("%d dead letters cannot be read", unreadable))
	}
	heads, err := t.heads(ctx, runs, of)
	if err != nil {
		return a, err
	}
	var mu sync.Mutex
	var took []time.Duration
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for _, change := range slices.Sorted(maps.Keys(runs)) {
		group.Go(func() error {
			outcome, err := t.outcome(ctx, runs[change], heads[of(change)])
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			a.add(fmt.Sprintf("event %d of %s, run %s", change, of(change), runs[change]), outcome, dead[runs[change]])
			if run := outcome.run; run.Status == surgical.StatusSucceeded {
				took = append(took, run.FinishedAt.Sub(run.EventAt))
			}
			return nil
		})
	}
	err = group.Wait()
	slices.Sort(took)
	if n := len(took); n > 0 {
		a.P50, a.P95 = took[n/2].Seconds(), took[n*95/100].Seconds()
	}
	slices.Sort(a.Wrong)
	return a, err
}

// outcome is what is known about one event.
type outcome struct {
	// run is the last in the chain of retries; found says whether there is one.
	run   surgical.Run
	found bool
	// covered says whether the copy's fetch covers the event.
	covered bool
}

// heads reads the head of every entity that the events concern.
func (t *Target) heads(ctx context.Context, runs map[int]string, of func(change int) surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error) {
	heads := map[surgical.EntityRef]surgical.Head{}
	for change := range runs {
		ref := of(change)
		if _, ok := heads[ref]; ok {
			continue
		}
		head, err := t.content.Head(ctx, ref)
		if err != nil {
			return nil, err
		}
		heads[ref] = head
	}
	return heads, nil
}

func (t *Target) outcome(ctx context.Context, runID string, head surgical.Head) (outcome, error) {
	run, err := t.ledger.Run(ctx, runID)
	for err == nil && run.RetriedBy != "" {
		run, err = t.ledger.Run(ctx, run.RetriedBy)
	}
	if surgical.CodeOf(err) == surgical.CodeRunNotFound {
		return outcome{}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	return outcome{run: run, found: true, covered: head.Covers(run.EventAt)}, nil
}

func (a *Account) add(event string, o outcome, dead bool) {
	wrong := func(what string) { a.Wrong = append(a.Wrong, event+": "+what) }
	a.Attempts += o.run.Attempt
	switch {
	case !o.found && dead:
		a.DeadLetters++
	case !o.found:
		wrong("lost, there is neither a run nor a dead letter")
	case !o.run.Status.Terminal():
		wrong("its run is still " + string(o.run.Status))
	case o.run.Status == surgical.StatusCancelled:
		a.Cancelled++
	case o.run.Status == surgical.StatusFailed && o.run.Error == nil:
		wrong("its run failed and does not say why")
	case o.run.Status == surgical.StatusFailed:
		a.Failed[whyFailed(o.run.Error)]++
	case !o.covered:
		wrong("its run succeeded, but the copy is older than the event")
	case o.run.CoalescedWith != "":
		a.Coalesced++
	case skipped(o.run):
		a.SkippedStale++
	default:
		a.Committed++
	}
}

// whyFailed returns the code of the first target's failure, which says more
// than surgical_preflight_failed.
func whyFailed(e *surgical.Error) surgical.Code {
	if len(e.Failures) > 0 {
		return e.Failures[0].Code
	}
	return e.Code
}

func skipped(run surgical.Run) bool {
	for _, outcome := range run.Outcomes {
		if outcome.Status == surgical.EntitySkippedStale {
			return true
		}
	}
	return false
}
