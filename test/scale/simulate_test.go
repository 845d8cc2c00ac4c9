package scale

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

var record = flag.Bool("record", false, "write what is simulated to simulated.json")

// repeats is the factor by which two runs of a simulation may differ: goroutines that wake
// up at the same time do so in any order.
const repeats = 1.35

// calculatedTimes are those of the deployed worker; tests of infra compare its memory with
// package surgical.
func calculatedTimes(t *testing.T) times {
	t.Helper()
	counts, err := cost.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	d := Deployed{Stack: cost.Stack{Functions: map[string]cost.Function{"worker": {MemoryMB: surgical.WorkerMemory}}}}
	return d.timesOf(counts)
}

// TestSimulation_AgreesWithTheCalculation is what docs/scale.md rests on.
func TestSimulation_AgreesWithTheCalculation(t *testing.T) {
	if testing.Short() && !*record {
		t.Skip("simulates hours")
	}
	before, err := Recorded("../..")
	if err != nil {
		t.Fatal(err)
	}
	timing, after := calculatedTimes(t), map[string][]float64{}
	for _, x := range simulations() {
		t.Run(x.name, func(t *testing.T) {
			var got []float64
			simulate(t, x.setting, func(w *world) { got = w.simulated(x) })
			after[x.name] = got
			for i, f := range x.calculate(x, timing) {
				t.Logf("%s: calculated %.2f, simulated %.2f", f.what, f.value, got[i])
				if !f.agrees(got[i]) {
					t.Errorf("%s: calculated %.2f, simulated %.2f, may differ by a factor of %.2f, or not exceed it", f.what, f.value, got[i], f.within)
				}
				if !*record && f.within > 0 && (i >= len(before[x.name]) || apart(before[x.name][i], got[i]) > repeats) {
					t.Errorf("%s: %.2f, recorded were %v; make scale UPDATE=1 records anew", f.what, got[i], before[x.name])
				}
			}
		})
	}
	if *record && !t.Failed() {
		text, err := json.MarshalIndent(after, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recorded, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// simulated runs a simulation, and returns its figures.
func (w *world) simulated(x simulation) []float64 {
	start := w.clock.Now()
	switch x.name {
	case outage:
		w.down.Store(true)
		w.load(x.load, x.together, x.lasts)
		w.down.Store(false)
		end := w.clock.Now()
		w.drain(time.Hour)
		return []float64{w.measure(start, end).requests, w.measure(start, end).shown.Sub(end).Seconds()}
	case hotIssue:
		ref := fakegitlab.IssueRef(1000)
		w.known(1)
		for range int(x.load.Events * x.lasts.Seconds()) {
			w.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "A comment"})
			w.send(ref)
			time.Sleep(seconds(1 / x.load.Events))
		}
		w.drain(time.Hour)
		m := w.measure(start, w.clock.Now())
		return []float64{m.fetches, m.requests, m.lag.Seconds()}
	case firstCopy:
		w.known(int(x.load.Entities))
		took := w.backfill()
		return []float64{took.Seconds(), w.measure(start, w.clock.Now()).requests}
	case oneGroup, manyGroup:
		return []float64{w.pile(int(x.load.Entities), x.name == oneGroup).Seconds()}
	}
	if x.load.Budget < 1 {
		w.gitlab.SetBudget(int(60*x.load.Budget), time.Minute)
	}
	w.db.CountKeys()
	w.load(x.load, x.together, x.lasts)
	end := w.clock.Now()
	drained := w.drain(time.Hour)
	status := w.db.Hottest()[byStatus] / float64(len(w.events))
	m := w.measure(start.Add(x.warm), end)
	minutes := end.Sub(start.Add(x.warm)).Minutes()
	return []float64{m.requests / minutes, m.events / m.fetches, m.lag.Seconds(), m.longest.Seconds(), drained.Seconds(), status}
}

// pile sends a batch of events about each of n entities, and returns how long the worker
// takes for them once they have settled.
func (w *world) pile(n int, inRow bool) time.Duration {
	w.known(n)
	var order []int
	for i := range n * surgical.BatchSize {
		order = append(order, i%n)
	}
	if inRow {
		slices.Sort(order)
	}
	for _, i := range order {
		w.send(fakegitlab.IssueRef(int64(1000 + i)))
	}
	time.Sleep(surgical.Settle)
	return w.drain(time.Hour)
}
