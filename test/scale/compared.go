package scale

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// simulation is a situation that the tests of this package simulate, with the real worker
// and workflow, smaller than the real one where events are many.
type simulation struct {
	name  string
	about string
	load  Load
	// together is how many events in a row are about one entity.
	together int
	// lasts is how long events arrive, warm the time at the beginning that is not measured.
	lasts, warm time.Duration
	setting     Setting
	calculate   func(x simulation, t times) []figure
}

// figure is what is calculated, and the factor within which the simulation must agree; 0
// if the value is only a bound, which it must not exceed.
type figure struct {
	what          string
	value, within float64
}

// agrees reports whether the simulated value does.
func (f figure) agrees(simulated float64) bool {
	if f.within == 0 {
		return simulated <= f.value
	}
	return apart(f.value, simulated) <= f.within
}

// The names of simulations.
const (
	quietly    = "little to do"
	byRate     = "busy, by the workers' own rate"
	byBudget   = "busy, by GitLab's budget"
	bothLimits = "busy, by the rate and by the messages"
	outage     = "an outage of an hour"
	hotIssue   = "a hot issue"
	firstCopy  = "a backfill"
	oneGroup   = "a backlog, batches of one entity"
	manyGroup  = "a backlog, batches of ten entities"
)

const (
	// scaled is how much smaller than the real ones the busy situations are.
	scaled = 40
	// backlog is how many entities a backlog is about, with a batch of events each.
	backlog = 40
	// exact is for what random times cannot change much, and about for the rest: lags
	// depend on which entity an event is about, and on the order in which workers find
	// messages.
	exact, about = 1.15, 1.35
	// rough is for what is only computed as a mean, and simulated once.
	rough = 1.6
)

// simulations are all of them.
func simulations() []simulation {
	full := Full(populations()[1] / scaled)
	full.Events, full.Budget = full.Events/scaled, full.Budget/scaled
	unlimited := full
	unlimited.Budget = math.Inf(1)
	few := Load{Events: 1, Entities: 3, Budget: math.Inf(1), Requests: cost.FetchRequests}
	hourly := Load{Events: 6.0 / 60, Entities: 6, Budget: math.Inf(1), Requests: cost.FetchRequests}
	dense := Load{Events: 38, Entities: 16, Budget: math.Inf(1), Requests: cost.FetchRequests}
	two := func(rate float64) Setting { return Setting{Workers: 2, Bulk: 2, Rate: rate} }
	return []simulation{
		{quietly, "1 event a second about 3 issues", few, 1, 5 * time.Minute, 20 * time.Second, two(surgical.DefaultRequestsPerSecond), sustained},
		{byRate, "325 events a minute about 25 issues; 2 workers with 0.4 requests a second each", unlimited, 1, 9 * time.Minute, 200 * time.Second, two(0.4), sustained},
		{byBudget, "the same with 4 requests a second each, of which GitLab answers 50 a minute", full, 1, 9 * time.Minute, 200 * time.Second, two(4), sustained},
		{bothLimits, "38 events a second, ten in a row about one of 16 issues; 2 workers with 4 requests a second each", dense, surgical.BatchSize, 50 * time.Second, 15 * time.Second, two(4), sustained},
		{outage, "6 events a minute about 6 issues, all requests fail for an hour", hourly, 1, time.Hour, 0, two(surgical.DefaultRequestsPerSecond), failing},
		{hotIssue, "a comment every second for 5 minutes", Load{Events: 1}, 1, 5 * time.Minute, 0, two(surgical.DefaultRequestsPerSecond), heated},
		{firstCopy, "300 issues, two workers with 2 requests a second each, and the crawler", Load{Entities: 300}, 1, 0, 0, two(2), copied},
		{oneGroup, "400 events about 40 issues, one worker", Load{Entities: backlog}, 1, 0, 0, Setting{Workers: 1, Rate: 1000}, piled(surgical.BatchSize)},
		{manyGroup, "the same, in another order", Load{Entities: backlog}, 1, 0, 0, Setting{Workers: 1, Rate: 1000}, piled(1)},
	}
}

func sustained(x simulation, t times) []figure {
	r := steady(x.load, x.setting, t)
	return []figure{
		{"requests to GitLab a minute", 60 * r.Requests, exact},
		{"events per fetch", r.Coalescing, exact},
		{"lag, mean, s", r.Lag.Seconds(), about},
		{"lag, longest, s", r.MaxLag.Seconds(), rough},
		{"the queue is empty after the last event, s: within twice the longest lag", 2 * r.MaxLag.Seconds(), 0},
		{"units of one status in the index of runs, an event", t.status, about},
	}
}

func failing(x simulation, t times) []figure {
	o := during(x.load, x.setting, t)
	return []figure{
		{"requests in the hour", o.Attempts * x.load.Requests, exact},
		{"every event shows after, s", o.Applied.Seconds(), 0},
	}
}

func heated(x simulation, t times) []figure {
	h := hot(x.load.Events, x.lasts, x.setting, t)
	return []figure{
		{"fetches", h.Fetches, exact},
		{"requests", h.Requests, exact},
		{"lag, mean, s", h.Lag.Seconds(), about},
	}
}

// copied is a backfill whose first run waits for deliveries, as each does that was requested
// before.
func copied(x simulation, t times) []figure {
	b := backfill(x.load.Entities, math.Inf(1), x.setting, cost.Counts{})
	takes := b.Takes + surgical.Settle + surgical.TurnGrace
	return []figure{
		{"time, s", takes.Seconds(), about},
		{"requests", b.Requests, exact},
	}
}

// piled computes how long a worker takes for a backlog, of whose messages each batch has
// so many of one entity.
func piled(together float64) func(simulation, times) []figure {
	return func(x simulation, t times) []figure {
		batches := x.load.Entities
		fetching := batches * together / surgical.BatchSize
		takes := batches*(t.between+together*t.covered) + fetching*(t.fetch-t.covered)
		return []figure{{"time, s", takes, about}}
	}
}

// recorded is written by make scale UPDATE=1.
const recorded = "simulated.json"

// Recorded returns what was simulated last, by the names of simulations, in the order of
// their figures, from the project's directory.
func Recorded(root string) (all map[string][]float64, err error) {
	text, err := os.ReadFile(filepath.Join(root, "test", "scale", recorded))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("test/scale/%s: %w", recorded, err)
	}
	return all, nil
}

// apart is the factor by which two numbers differ, 1 or more.
func apart(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return math.Inf(1)
	}
	return math.Max(a/b, b/a)
}

func (d Deployed) simulatedTable(c cost.Counts, seen map[string][]float64) string {
	var b strings.Builder
	b.WriteString("### Calculated and simulated\n\n| | | calculated | simulated | differs by a factor of | may be |\n|---|---|---:|---:|---:|---:|\n")
	for _, x := range simulations() {
		name := fmt.Sprintf("**%s**: %s", x.name, x.about)
		for i, f := range x.calculate(x, d.timesOf(c)) {
			if i < len(seen[x.name]) {
				may := fmt.Sprintf("%.2f", f.within)
				if f.within == 0 {
					may = "less"
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %.2f | %s |\n", name, f.what, amount(f.value), amount(seen[x.name][i]), apart(f.value, seen[x.name][i]), may)
				name = ""
			}
		}
	}
	b.WriteString("\n")
	return b.String()
}
