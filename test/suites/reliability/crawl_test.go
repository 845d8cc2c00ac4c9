package reliability_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// everything is what the demo GitLab has.
func everything() []surgical.EntityRef {
	return []surgical.EntityRef{issue(7), issue(8), issue(9), fakegitlab.MergeRequestRef(12)}
}

// crawls lets the crawler run from now on.
func crawls(c *cloud.Cloud) {
	c.Crawls, c.Crawler().Listed = true, []int64{fakegitlab.ProjectID}
	c.Crawl() // the first reconcile learns what time it is
	c.Settle()
	c.Clock.Advance(time.Hour)
}

// crawling are the scenarios in which the crawler works.
func crawling() []scenario {
	const budget = 2 * time.Hour
	apis := &cloudapi.APIs{}
	return []scenario{
		{name: "reconcile", refs: []surgical.EntityRef{issue(70), issue(71)}, apis: apis,
			prepare: func(c *cloud.Cloud) {
				synced(70)(c)
				crawls(c)
			},
			act: func(c *cloud.Cloud) { // without a webhook
				c.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "One more."})
				small(c, 71)
				c.GitLab.AddDiscussion(issue(71), fakegitlab.Note{Body: "Just now."})
				c.Crawl()
				c.Clock.Advance(surgical.CrawlInterval)
				c.Crawl() // the schedule does not know that the first one died
			}},
		{name: "backfill", refs: everything(), apis: apis,
			prepare: crawls,
			act: func(c *cloud.Cloud) {
				post(c, "/v1/backfills", "import", `{"project":"1"}`)
			}},
		{name: "backfill of a group", refs: everything(), apis: apis,
			prepare: crawls,
			act: func(c *cloud.Cloud) {
				post(c, "/v1/backfills", "import", `{"group":"demo"}`)
			}},
		{name: "census", refs: []surgical.EntityRef{issue(70), issue(71)}, apis: apis, census: budget,
			prepare: func(c *cloud.Cloud) {
				synced(70, 71)(c)
				c.Crawler().Census = budget
				crawls(c)
				c.Clock.Advance(budget)
			},
			act: func(c *cloud.Cloud) {
				c.GitLab.DeleteNote(issue(70), c.GitLab.Discussions(issue(70))[0].Notes[0].ID) // nothing announces it
				for range 6 {
					c.Crawl()
					c.Settle()
					c.Clock.Advance(surgical.CrawlInterval)
				}
			}},
	}
}

// done is what a scenario of the crawler did.
type done struct {
	// Runs are the ids of the crawler's runs.
	Runs []string
	// Passes are the backfills and censuses, with their counts and what they found.
	Passes []string
	// Lists is how many pages of lists were read.
	lists int
}

func doneIn(c *cloud.Cloud) done {
	var d done
	for _, run := range c.Runs() {
		switch run.Origin {
		case surgical.OriginBackfill, surgical.OriginReconcile, surgical.OriginCensus:
			d.Runs = append(d.Runs, fmt.Sprint(run.Origin, " ", run.Targets))
		}
	}
	slices.Sort(d.Runs)
	for p, err := range c.Ledger.Passes(c.T.Context()) {
		if err != nil {
			c.T.Fatal(err)
		}
		if p.Kind != surgical.PassReconcile {
			d.Passes = append(d.Passes, fmt.Sprint(p.Kind, p.ProjectID, p.Status, p.Counts.Different, p.Counts.Done, p.Counts.Failed, p.Outstanding, p.Found))
		}
	}
	requests := c.GitLab.Requests()
	d.lists = requests["1 issues"] + requests["1 merge_requests"]
	return d
}

func TestWhereverTheCrawlerDiesNoRunIsLostOrRepeated(t *testing.T) {
	for _, s := range crawling() {
		var baseline done
		b := &boundary{}
		s.play(t, func(*cloud.Cloud) *boundary { return b }, func(c *cloud.Cloud, _ *boundary) {
			baseline = doneIn(c)
			if len(baseline.Runs) == 0 {
				c.T.Fatalf("no runs")
			}
		})
		all := deaths(slices.DeleteFunc(b.points, func(p point) bool { return p.function != "crawler" && p.function != "api" }))
		all = slices.DeleteFunc(all, func(d death) bool { return d.fate != cloud.Redelivered })
		t.Run(s.name, func(t *testing.T) {
			for _, d := range all {
				t.Run(d.String(), func(t *testing.T) {
					died := false
					s.play(t, func(c *cloud.Cloud) *boundary { return d.boundary(&died) }, func(c *cloud.Cloud, _ *boundary) {
						if !died {
							c.T.Fatalf("the point was never reached")
						}
						c.CheckRuns()
						for _, ref := range s.refs {
							if problem := c.Untrue(ref); problem != "" {
								c.T.Errorf("%s differs from GitLab:\n%s", ref, problem)
							}
						}
						got := doneIn(c)
						if fmt.Sprint(got.Runs, got.Passes) != fmt.Sprint(baseline.Runs, baseline.Passes) {
							c.T.Errorf("%v %v, undisturbed %v %v", got.Runs, got.Passes, baseline.Runs, baseline.Passes)
						}
					})
				})
			}
			t.Logf("%d deaths, undisturbed %v", len(all), baseline.Passes)
		})
	}
}

func requestsIn(c *cloud.Cloud) (entities, lists int) {
	for endpoint, n := range c.GitLab.Requests() {
		switch {
		case strings.Contains(endpoint, "#"):
			entities += n
		case endpoint == "1 issues" || endpoint == "1 merge_requests":
			lists += n
		}
	}
	return entities, lists
}
