package cost

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Counts is everything that the tables are computed from.
type Counts struct {
	// Idle is an hour, the others are one of their kind.
	Idle, First, Census, Search Counted
	// Covered is an event that the fetch of another one covers, and Failed an attempt that
	// GitLab does not answer.
	Covered, Failed Counted
	// Changes are by [Discussions], and Naive is what writing everything anew takes.
	Changes, Naive []Counted
}

// Discussions returns the sizes of the issues whose changes are counted.
func Discussions() []int { return []int{10, 100} }

// Count counts everything, which takes minutes.
func Count(t cloud.TB) Counts {
	c := Counts{Idle: Idle(t), First: First(t, notes), Census: Census(t), Search: Search(t), Covered: Covered(t), Failed: Failed(t)}
	for _, n := range Discussions() {
		c.Changes, c.Naive = append(c.Changes, Change(t, n)), append(c.Naive, First(t, n))
	}
	return c
}

// counts.json is written by make cost UPDATE=1.
//
//go:embed counts.json
var counts []byte

// Recorded returns what was counted last.
func Recorded() (c Counts, err error) {
	if err := json.Unmarshal(counts, &c); err != nil {
		return c, fmt.Errorf("test/cost/counts.json: %w", err)
	}
	return c, nil
}
