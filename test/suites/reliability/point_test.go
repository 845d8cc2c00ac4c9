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
		{`[wmrbd][a-z2-7]{26}`, "RUN"}, {`[0-9a-f]{40,64}`, "ID"}, {`(issue|merge_request)#\d+`, "ENTITY"}, {`(issues|merge_requests)/\d+`, "ENTITY"},
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
	// began is when the disturbance started.
	began time.Time
	// at disturbs a call, or lets it through.
	at func(ctx context.Context, p point, call cloud.Call, send func() error) error
}

// around implements [cloud.Around].
func (b *boundary) around(ctx context.Context, call cloud.Call, send func() error) error {
	p := point{function: cloud.ProcessOf(ctx).Function, call: call.String(), operation: call}
	b.mu.Lock()
	if b.counts == nil {
		b.counts = map[string]int{}
	}
	p.n = b.counts[p.function+" "+p.call]
	b.counts[p.function+" "+p.call]++
	b.points = append(b.points, p)
	b.mu.Unlock()
	if b.at == nil {
		return send()
	}
	return b.at(ctx, p, call, send)
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

// unsuccessful counts the runs that did not succeed.
func unsuccessful(c *cloud.Cloud) int {
	n := 0
	for _, run := range c.Runs() {
		if run.Status != surgical.StatusSucceeded {
			n++
		}
	}
	return n
}

// baseline is the number of runs of the undisturbed scenario that do not
// succeed.
func (s scenario) baseline(t *testing.T) (n int) {
	s.play(t, func(*cloud.Cloud) *boundary { return &boundary{} }, func(c *cloud.Cloud, _ *boundary) { n = unsuccessful(c) })
	return n
}
