package tour

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// patience is how long it may take from a clone to a thread that was read, on a machine
// that has nothing but the prerequisites.
const patience = 15 * time.Minute

// What the tour reaches, in this order.
const (
	stackUp    = "stack up"
	backfilled = "project backfilled"
	issueFound = "issue found"
	threadRead = "thread read"
)

// itinerary is how long the stages of a tour take, and when it reaches what.
type itinerary struct {
	began  time.Time
	stages []stage
	points []stage
}

// stage is a part of the tour with its begin, or what was reached with its time.
type stage struct {
	name string
	at   time.Time
}

func newItinerary() *itinerary { return &itinerary{began: time.Now()} }

// stage begins the next one.
func (i *itinerary) stage(name string) { i.stages = append(i.stages, stage{name, time.Now()}) }

// reach notes what is reached for the first time.
func (i *itinerary) reach(point string) {
	if i.reached(point) == 0 {
		i.points = append(i.points, stage{point, time.Now()})
	}
}

// reached returns the time from the begin of the tour to the point, 0 if it was not
// reached.
func (i *itinerary) reached(point string) time.Duration {
	for _, p := range i.points {
		if p.name == point {
			return max(1, p.at.Sub(i.began))
		}
	}
	return 0
}

// Write notes what the demo has reached, by what it prints.
func (i *itinerary) Write(printed []byte) (int, error) {
	if i == nil {
		return len(printed), nil // of runbooks only
	}
	for says, point := range map[string]string{"✓ starting the operations console": stackUp, "backfill  succeeded": backfilled} {
		if bytes.Contains(printed, []byte(says)) {
			i.reach(point)
		}
	}
	return len(printed), nil
}

// print prints a table of the stages and of what was reached.
func (i *itinerary) print(out io.Writer) {
	end := time.Now()
	row := func(name string, took time.Duration) {
		fmt.Fprintf(out, "tour: | %-38s | %7.1f s |\n", name, took.Seconds())
	}
	for n, s := range i.stages {
		until := end
		if n+1 < len(i.stages) {
			until = i.stages[n+1].at
		}
		row(s.name, until.Sub(s.at))
	}
	row("in total", end.Sub(i.began))
	for _, p := range i.points {
		row("from the clone to: "+p.name, p.at.Sub(i.began))
	}
}

func TestItinerary_PrintsWhatTheDemoReached(t *testing.T) {
	i := newItinerary()
	i.stage("Lorehook")
	fmt.Fprint(i, "  ✓ starting the operations console  5.5 s\n")
	fmt.Fprint(i, "     backfill  failed\n")
	if i.reached(stackUp) == 0 || i.reached(backfilled) != 0 {
		t.Errorf("reached: %v", i.points)
	}
	var table strings.Builder
	i.print(&table)
	for _, want := range []string{"tour: | Lorehook  ", "| in total  ", "| from the clone to: stack up  "} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, &table)
		}
	}
}
