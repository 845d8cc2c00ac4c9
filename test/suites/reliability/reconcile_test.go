package reliability_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// comment is one of a storm.
type comment struct {
	// at is when it is made, since the storm began.
	at time.Duration
	// second is whether it is made less than a minute after another one on its issue,
	// so that GitLab's updated_at does not change.
	second bool
}

const thirty = "30 % of them"

// losses say which comments' webhooks are lost.
func losses() map[string]func(comment) bool {
	random := rand.New(rand.NewPCG(1, 2))
	return map[string]func(comment) bool{
		thirty:                           func(comment) bool { return random.Float64() < 0.3 },
		"all of them for ten minutes":    func(k comment) bool { return k.at > stormTime-10*time.Minute },
		"the second one within a minute": func(k comment) bool { return k.second },
	}
}

const (
	// stormTime is how long a storm takes, and commentsEach how many comments an issue
	// has in it on average.
	stormTime, commentsEach = 12 * time.Minute, 5
)

// storm comments on the issues.
func storm(c *cloud.Cloud, refs []surgical.EntityRef, lost func(comment) bool) {
	random, began := rand.New(rand.NewPCG(3, 4)), c.Clock.Now()
	comments, last := commentsEach*len(refs), map[surgical.EntityRef]time.Time{}
	for n := range comments {
		ref, now := refs[random.IntN(len(refs))], c.Clock.Now()
		c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprint("Comment ", n)})
		if !lost(comment{at: now.Sub(began), second: now.Sub(last[ref]) < time.Minute}) {
			c.Webhook(ref)
		}
		last[ref] = now
		c.Clock.Advance(stormTime / time.Duration(comments))
		if n%20 == 0 {
			c.Poll(c.Requests)
		}
	}
}

// replica is a database of GitLab that lags for as long as the test says.
type replica struct{ *fakegitlab.Server }

// RoundTrip implements [http.RoundTripper].
func (r replica) RoundTrip(req *http.Request) (*http.Response, error) {
	received := req.Clone(req.Context())
	received.RequestURI, received.Body = req.URL.RequestURI(), http.NoBody
	recorder := httptest.NewRecorder()
	r.ServeHTTP(recorder, received)
	resp := recorder.Result()
	resp.Request = req
	return resp, nil
}

// oddities are issues that could hide the differences of others, or their own: one whose
// date lies in the future, one whose date was set back, one whose run fails in the first
// cycle, and one of which a replica shows an old state until that cycle is over.
type oddities struct {
	future, back, refused, behind surgical.EntityRef
	// first is set until the first cycle is over.
	first bool
	old   replica
	// moving are moved to the end of the list while the crawler reads it.
	moving []surgical.EntityRef
}

func newOddities(c *cloud.Cloud) *oddities {
	o := &oddities{future: issue(50), back: issue(51), refused: issue(52), behind: issue(53), first: true}
	o.old = replica{fakegitlab.New(fakegitlab.Options{Clock: c.Clock.Now, Token: cloud.Token})}
	o.old.SetIssue(fakegitlab.NewIssue(o.behind.IID, "Issue", "", fakegitlab.Time{Time: c.Clock.Now()}))
	return o
}

func (o *oddities) refs() []surgical.EntityRef {
	return []surgical.EntityRef{o.future, o.back, o.refused, o.behind}
}

// change comments on them, and lets a replica answer the only delivery.
func (o *oddities) change(c *cloud.Cloud) {
	dated := c.GitLab.UpdatedAt(o.back)
	for _, ref := range o.refs() {
		c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
	}
	c.GitLab.Redate(o.future, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
	c.GitLab.Redate(o.back, dated.Add(-time.Minute))
	delivery := c.Request(surgical.OriginWebhook, o.behind)
	delivery.Evidence.UpdatedAt = c.GitLab.UpdatedAt(o.behind)
	c.Send(delivery)
}

// around disturbs what happens until the first cycle is over.
func (o *oddities) around(c *cloud.Cloud) cloud.Around {
	return func(ctx context.Context, call cloud.Call, send func() error) error {
		req, ok := call.Input.(*http.Request)
		if !ok || !o.first {
			return send()
		}
		of := func(ref surgical.EntityRef) bool {
			return strings.Contains(req.URL.Path+"/", fmt.Sprintf("/issues/%d/", ref.IID))
		}
		switch {
		case of(o.refused):
			return faults.Forbidden.Do(ctx, call, send)
		case of(o.behind):
			return faults.OldReplica.Do(faults.With(ctx, faults.Setting{Replica: o.old}), call, send)
		case strings.HasSuffix(req.URL.Path, "/issues"):
			defer func() { // after the response
				for _, ref := range o.moving {
					c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "While the list is read."})
				}
				o.moving = nil
			}()
		}
		return send()
	}
}

// differing returns those of which the copy differs from GitLab.
func differing(c *cloud.Cloud, refs []surgical.EntityRef) (differ []surgical.EntityRef) {
	for _, ref := range refs {
		if c.Untrue(ref) != "" {
			differ = append(differ, ref)
		}
	}
	return differ
}

// cycle lets a reconcile begin and end, and returns how many requests to GitLab its runs
// and its lists take.
func cycle(c *cloud.Cloud) (entities, lists int) {
	spent := func() (entities, lists int) {
		for _, run := range c.Runs() {
			if run.Origin == surgical.OriginReconcile {
				entities += int(run.Counters.GitLabRequests)
			}
		}
		_, lists = requestsIn(c)
		return entities, lists
	}
	entitiesBefore, listsBefore := spent()
	c.Clock.Advance(surgical.ReconcileInterval)
	c.Crawl()
	c.Settle()
	entities, lists = spent()
	return entities - entitiesBefore, lists - listsBefore
}

func TestReconcile_MendsWhateverWebhooksWereLost(t *testing.T) {
	for name, lost := range losses() {
		issues := int64(200)
		if testing.Short() || name != thirty && os.Getenv(fullMatrix) == "" {
			issues = 40
		}
		t.Run(name, func(t *testing.T) {
			inCloud(t, func(t *testing.T, c *cloud.Cloud) {
				c.Unobserved, c.Crawler().Listed = true, []int64{fakegitlab.ProjectID}
				odd := newOddities(c)
				var refs []surgical.EntityRef
				for iid := int64(100); iid < 100+issues; iid++ {
					refs = append(refs, issue(iid))
				}
				all := append(odd.refs(), refs...)
				for _, ref := range all {
					c.GitLab.SetIssue(fakegitlab.NewIssue(ref.IID, "Issue", "", fakegitlab.Time{Time: c.Clock.Now()}))
				}
				c.Crawl()
				c.Settle() // everything is in the copy
				c.Clock.Advance(time.Hour)
				c.GitLab.AddDiscussion(odd.back, fakegitlab.Note{Body: "The newest by its date."})
				c.Webhook(odd.back)
				c.Around = odd.around(c)
				storm(c, refs, lost)
				odd.change(c)
				c.Settle()

				// Two that are listed early are changed while the list is read.
				byDate := slices.SortedFunc(slices.Values(refs), func(a, b surgical.EntityRef) int {
					return c.GitLab.UpdatedAt(a).Compare(c.GitLab.UpdatedAt(b))
				})
				odd.moving = []surgical.EntityRef{byDate[0], byDate[len(byDate)/3]}
				late := append([]surgical.EntityRef{odd.refused, odd.behind}, odd.moving...)
				before := differing(c, all)
				o := outcome{differed: len(union(before, odd.moving)), most: len(all), refused: 1}
				o.entities, o.lists = cycle(c)
				o.check(t, "the first cycle")
				if left := slices.DeleteFunc(differing(c, before), func(ref surgical.EntityRef) bool { return slices.Contains(late, ref) }); len(left) > 0 {
					t.Errorf("after one cycle, %v still differ", left)
				}

				odd.first, o.refused = false, 0
				for _, ref := range refs[:5] {
					c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Lost after the first cycle."})
				}
				o.differed = len(differing(c, all))
				o.entities, o.lists = cycle(c)
				o.check(t, "the second cycle")
				if left := differing(c, all); len(left) > 0 {
					t.Errorf("after two cycles, %v still differ", left)
				}
			})
		})
	}
}

func union(a, b []surgical.EntityRef) []surgical.EntityRef {
	return append(slices.Clone(a), slices.DeleteFunc(slices.Clone(b), func(ref surgical.EntityRef) bool { return slices.Contains(a, ref) })...)
}

// outcome is what a cycle of a reconcile did.
type outcome struct {
	// differed is how many copies differed, of most.
	differed, most  int
	entities, lists int
	// refused counts the runs whose entity GitLab refused to show.
	refused int
}

func (o outcome) check(t *testing.T, name string) {
	t.Helper()
	t.Logf("%s: %d of %d copies differ; %d requests for entities and %d for lists", name, o.differed, o.most, o.entities, o.lists)
	// A run that GitLab refuses asks once whether it shows the project.
	if pages := o.most/surgical.ListPage + 4; o.differed == 0 || o.entities > 5*o.differed+o.refused || o.lists > pages || o.entities+o.lists > 5*o.differed+pages {
		t.Errorf("%s: %d requests for %d copies that differ, and %d for lists of at most %d pages", name, o.entities, o.differed, o.lists, pages)
	}
}
