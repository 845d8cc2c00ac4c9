package reliability_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// point is one call at the boundary: the nth of this name by this function.
type point struct {
	function, call string
	n              int
	operation      cloud.Call
}

func (p point) String() string { return fmt.Sprintf("%s %s #%d", p.function, p.call, p.n) }

// place names the call without the parts that differ between scenarios.
func (p point) place() string {
	call := p.call
	for _, name := range []struct{ pattern, is string }{
		{`[a-z][a-z2-7]{26}`, "RUN"}, {`[0-9a-f]{40,64}`, "ID"}, {`(issue|merge_request)#\d+`, "ENTITY"}, {`(issues|merge_requests)/\d+`, "ENTITY"},
	} {
		call = regexp.MustCompile(name.pattern).ReplaceAllString(call, name.is)
	}
	return fmt.Sprint(p.function, " ", call, " ", p.n)
}

// places is a set of calls.
type places map[string]bool

func (s places) add(points []point) {
	for _, p := range points {
		s[p.place()] = true
	}
}

// without returns the points whose places are not in the set.
func (s places) without(points []point) []point {
	return slices.DeleteFunc(slices.Clone(points), func(p point) bool { return s[p.place()] })
}

// boundary counts calls and disturbs some of them.
type boundary struct {
	mu     sync.Mutex
	counts map[string]int
	points []point
	// timed numbers the runs whose ids follow from times, by their origin's letter.
	timed map[string]string
	// began is when the disturbance started.
	began time.Time
	// at disturbs a call, or lets it through.
	at func(ctx context.Context, p point, call cloud.Call, send func() error) error
}

// around implements [cloud.Around].
func (b *boundary) around(ctx context.Context, call cloud.Call, send func() error) error {
	b.mu.Lock()
	if b.counts == nil {
		b.counts, b.timed = map[string]int{}, map[string]string{}
	}
	p := point{function: cloud.ProcessOf(ctx).Function, call: timedRun.ReplaceAllStringFunc(call.String(), b.number), operation: call}
	p.n = b.counts[p.function+" "+p.call]
	b.counts[p.function+" "+p.call]++
	b.points = append(b.points, p)
	b.mu.Unlock()
	if b.at == nil {
		return send()
	}
	return b.at(ctx, p, call, send)
}

// timedRun matches the id of a follow-up or a hide run. It follows from the time of a
// fetch, which a disturbance and the order of concurrent calls change.
var timedRun = regexp.MustCompile(`\b[fh][a-z2-7]{26}\b`)

// number replaces the id of such a run by one that is the same each time.
func (b *boundary) number(id string) string {
	if b.timed[id] == "" {
		n := 1
		for other := range b.timed {
			if other[0] == id[0] {
				n++
			}
		}
		b.timed[id] = fmt.Sprintf("%c%d", id[0], n)
	}
	return b.timed[id]
}

// play runs the scenario on the in-memory DynamoDB, disturbed by the boundary,
// until it has settled, and then calls check.
func (s scenario) play(t *testing.T, disturb func(c *cloud.Cloud) *boundary, check func(c *cloud.Cloud, b *boundary)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, tables := fakedynamodb.New()
		c := cloud.New(t, db.Client(), tables)
		c.Rows, c.LendAPI = db.Items, s.apis.Lend
		b := disturb(c)
		s.run(c, b)
		check(c, b)
	})
}

func (s scenario) run(c *cloud.Cloud, b *boundary) {
	s.prepare(c)
	c.Follow(s.refs...)
	c.Around, b.began = b.around, c.Clock.Now()
	s.act(c)
	c.Settle()
	c.Around = nil
}

// points lists every call that the undisturbed scenario makes.
func (s scenario) points(t *testing.T) []point {
	t.Helper()
	b := &boundary{}
	s.play(t, func(*cloud.Cloud) *boundary { return b }, func(c *cloud.Cloud, b *boundary) { s.recovered(c, b, true) })
	return b.points
}

// recovered verifies what a settled cloud promises: immediately if no work was
// lost, and after one more event of each entity in any case.
func (s scenario) recovered(c *cloud.Cloud, b *boundary, nothingLost bool) {
	c.CheckRuns()
	if nothingLost {
		for _, ref := range s.refs {
			if problem := c.Untrue(ref); problem != "" && !accounted(c, b, ref) {
				c.T.Errorf("%s, and no run says why not:\n%s", ref, problem)
			}
		}
		dead := map[string]bool{} // one may arrive twice, the copy late
		for _, m := range c.DeadLetters.Messages() {
			dead[m.Group+" "+m.Body] = true
		}
		if len(dead) > s.deadLetters {
			c.T.Errorf("%d dead letters, want at most %d", len(dead), s.deadLetters)
		}
	}
	c.Fate = cloud.Redelivered
	for _, ref := range s.refs {
		c.Webhook(ref)
	}
	c.Settle()
	c.Check(s.refs...)
}

// accounted reports whether a run from the time of the disturbance has the
// entity as a target and says why it failed.
func accounted(c *cloud.Cloud, b *boundary, ref surgical.EntityRef) bool {
	return slices.ContainsFunc(c.Runs(), func(run surgical.Run) bool {
		return run.Status != surgical.StatusSucceeded && run.FinishedAt.After(b.began) && slices.Contains(run.Targets, ref.Target)
	})
}

// unsuccessful counts the runs that did not succeed, apart from those of entities that
// GitLab has deleted: each of their runs fails with its 404.
func unsuccessful(c *cloud.Cloud) int {
	n := 0
	for _, run := range c.Runs() {
		if run.Status != surgical.StatusSucceeded && !missing(c, run) {
			n++
		}
	}
	return n
}

// missing reports whether the run failed only because its entities no longer exist.
func missing(c *cloud.Cloud, run surgical.Run) bool {
	return run.Error != nil && len(run.Error.Failures) == len(run.Targets) &&
		!slices.ContainsFunc(run.Error.Failures, func(f surgical.TargetFailure) bool {
			return f.Code != surgical.CodeGitLabNotFound || c.GitLab.Has(surgical.EntityRef{ProjectID: run.ProjectID, Target: f.Target})
		})
}

// baseline is the number of runs of the undisturbed scenario that do not
// succeed.
func (s scenario) baseline(t *testing.T) (n int) {
	s.play(t, func(*cloud.Cloud) *boundary { return &boundary{} }, func(c *cloud.Cloud, _ *boundary) { n = unsuccessful(c) })
	return n
}
