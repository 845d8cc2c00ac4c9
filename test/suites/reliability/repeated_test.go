package reliability_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// largeBackfill is a backfill of this many issues, and of those that are there anyway.
func largeBackfill(issues int64) scenario {
	s := scenario{apis: &cloudapi.APIs{},
		prepare: func(c *cloud.Cloud) {
			c.Unobserved, c.Crawls, c.Crawler().Listed = true, true, []int64{fakegitlab.ProjectID}
			c.Crawl()
			c.Settle()
			for iid := int64(100); iid < 100+issues; iid++ {
				small(c, iid)
			}
			c.Crawler().Interval = 1000 * surgical.ReconcileInterval // only the backfill sends requests
			c.Clock.Advance(surgical.ReconcileOverlap)
		},
		act: func(c *cloud.Cloud) { post(c, "/v1/backfills", "import", `{"project":"1"}`) },
	}
	for iid := int64(100); iid < 100+issues; iid++ {
		s.refs = append(s.refs, issue(iid))
	}
	return s
}

// ends returns the first and the last call of each kind: what differs between the calls
// of a kind is how much of the work is done.
func ends(points []point) []point {
	number := regexp.MustCompile(` \d+$`)
	var order []string
	first, last := map[string]point{}, map[string]point{}
	for _, p := range points {
		kind := number.ReplaceAllString(p.place(), "")
		if _, seen := first[kind]; !seen {
			first[kind] = p
			order = append(order, kind)
		}
		last[kind] = p
	}
	var some []point
	for _, kind := range order {
		some = append(some, first[kind])
		if first[kind].String() != last[kind].String() {
			some = append(some, last[kind])
		}
	}
	return some
}

// A process that dies repeats at most one page of a list, or the fetches of one worker's
// batch, however large the project is.
func TestBackfill_RepeatsLessThanOnePercentOfItsRequestsWhereverItIsKilled(t *testing.T) {
	const entities, pages = 1000 + 100, 10 + 1 + 2 // and the lists of what changed since
	sizes := map[int64]int{2 * surgical.BatchSize: 8}
	if os.Getenv(fullMatrix) != "" {
		sizes = map[int64]int{2 * surgical.BatchSize: 1, surgical.ListPage + surgical.BatchSize: 4}
	}
	for issues, every := range sizes {
		t.Run(fmt.Sprint(issues, " issues"), func(t *testing.T) {
			kills, most, where := largeBackfill(issues).repeats(t, every)
			share := 100 * float64(most) / (5*entities + pages)
			t.Logf("%d kills; at most %d requests are repeated (%s), of those for %d entities %.2f %%", kills, most, where, entities, share)
			if most > 5*surgical.BatchSize+1 || share >= 1 {
				t.Errorf("%d requests are repeated", most)
			}
		})
	}
}

// repeats kills the backfill at one of every so many calls of each kind, and returns how
// many requests to GitLab it sends again at most.
func (s scenario) repeats(t *testing.T, every int) (kills, most int, where string) {
	sent := func(c *cloud.Cloud) int {
		entities, lists := requestsIn(c)
		return entities + lists
	}
	b, undisturbed := &boundary{}, 0
	s.play(t, func(*cloud.Cloud) *boundary { return b }, func(c *cloud.Cloud, _ *boundary) { undisturbed = sent(c) })
	all := slices.DeleteFunc(deaths(ends(b.points)), func(d death) bool { return d.fate != cloud.Redelivered })
	for i, d := range all {
		if i%every != 0 {
			continue
		}
		kills++
		died := false
		s.play(t, func(*cloud.Cloud) *boundary { return d.boundary(&died) }, func(c *cloud.Cloud, _ *boundary) {
			if repeated := sent(c) - undisturbed; repeated > most || where == "" {
				most, where = repeated, d.String()
			}
			if !died {
				t.Errorf("%s: the point was never reached", d)
			}
			for _, ref := range s.refs {
				if problem := c.Untrue(ref); problem != "" {
					t.Errorf("%s: %s differs from GitLab:\n%s", d, ref, problem)
				}
			}
		})
	}
	return kills, most, where
}
