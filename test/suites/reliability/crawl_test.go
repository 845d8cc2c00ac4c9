package reliability_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// crawling are the scenarios in which the crawler works.
func crawling() []scenario {
	apis := &cloudapi.APIs{}
	crawls := func(c *cloud.Cloud) {
		c.Crawls, c.Crawler().Listed = true, []int64{fakegitlab.ProjectID}
		c.Crawl() // the first reconcile learns what time it is
		c.Settle()
		c.Clock.Advance(time.Hour)
	}
	everything := []surgical.EntityRef{issue(7), issue(8), issue(9), fakegitlab.MergeRequestRef(12)}
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
		{name: "backfill", refs: everything, apis: apis,
			prepare: crawls,
			act: func(c *cloud.Cloud) {
				post(c, "/v1/backfills", "import", `{"project":"1"}`)
			}},
		{name: "backfill of a group", refs: everything, apis: apis,
			prepare: crawls,
			act: func(c *cloud.Cloud) {
				post(c, "/v1/backfills", "import", `{"group":"demo"}`)
			}},
		{name: "census", refs: []surgical.EntityRef{issue(70), issue(71)}, apis: apis,
			prepare: func(c *cloud.Cloud) {
				synced(70, 71)(c)
				const budget = 2 * time.Hour
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

// storm are five changes for each of the issues, of which lost tells whether the webhook
// of the n-th is lost.
func storm(c *cloud.Cloud, issues int64, random *rand.Rand, lost func(n int) bool) {
	for n := range int(5 * issues) {
		ref := issue(100 + random.Int64N(issues))
		c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprint("Comment ", n)})
		if !lost(n) {
			c.Webhook(ref)
		}
		c.Clock.Advance(600 * time.Millisecond) // so some second comments fall into the same minute
		if n%20 == 0 {
			c.Poll(c.Requests)
		}
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

func TestReconcile_MendsWhateverWebhooksWereLost(t *testing.T) {
	for name, lost := range map[string]func(random *rand.Rand) func(int) bool{
		"30 % of them":            func(r *rand.Rand) func(int) bool { return func(int) bool { return r.Float64() < 0.3 } },
		"all of them for a while": func(*rand.Rand) func(int) bool { return func(n int) bool { return n >= 100 } },
	} {
		issues := int64(200)
		if testing.Short() {
			issues = 40
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, tables := fakedynamodb.New()
				c := cloud.New(t, db.Client(), tables)
				c.Rows, c.Unobserved, c.Crawler().Listed = db.Items, true, []int64{fakegitlab.ProjectID}
				var refs []surgical.EntityRef
				for iid := int64(100); iid < 100+issues; iid++ {
					c.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: c.Clock.Now()}))
					refs = append(refs, issue(iid))
				}
				c.Crawls = true
				c.Crawl()
				c.Settle() // everything is in the copy
				c.Crawls = false
				c.Clock.Advance(time.Hour)
				random := rand.New(rand.NewPCG(1, 2))
				storm(c, issues, random, lost(random))
				c.Settle()
				differ := 0
				for _, ref := range refs {
					if c.Untrue(ref) != "" {
						differ++
					}
				}
				entities, lists := requestsIn(c)
				c.Crawls = true
				c.Crawl()
				c.Settle()
				fetched, listed := requestsIn(c)
				for _, ref := range refs {
					if problem := c.Untrue(ref); problem != "" {
						t.Errorf("%s differs from GitLab:\n%s", ref, problem)
					}
				}
				t.Logf("%d of %d differed; one cycle sent %d requests for entities and %d for lists", differ, issues, fetched-entities, listed-lists)
				if differ == 0 || fetched-entities > 5*differ {
					t.Errorf("%d requests for %d entities that differed", fetched-entities, differ)
				}
			})
		})
	}
}
