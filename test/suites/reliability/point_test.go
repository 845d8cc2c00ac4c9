package reliability_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
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
	for _, name := range variable {
		call = name.pattern.ReplaceAllString(call, name.is)
	}
	return fmt.Sprint(p.function, " ", call, " ", p.n)
}

// variable lists the parts of a call's name that differ between scenarios.
var variable = []struct {
	pattern *regexp.Regexp
	is      string
}{
	{regexp.MustCompile(`\b[a-z][a-z2-7]{26}\b`), "RUN"},
	{regexp.MustCompile(`[0-9a-f]{40,64}`), "ID"},
	{regexp.MustCompile(`(issue|merge_request)#\d+`), "ENTITY"},
	{regexp.MustCompile(`(issues|merge_requests)/\d+`), "ENTITY"},
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
	// timed numbers the runs and passes whose ids follow from times.
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
	p := point{function: cloud.ProcessOf(ctx).Function, call: b.name(call), operation: call}
	p.n = b.counts[p.function+" "+p.call]
	b.counts[p.function+" "+p.call]++
	b.points = append(b.points, p)
	b.mu.Unlock()
	if b.at == nil {
		return send()
	}
	return b.at(ctx, p, call, send)
}

// timedRun matches the id of a follow-up, a hide run or a pass. It follows from the time
// of a fetch, or of the beginning of a pass, which a disturbance and the order of
// concurrent calls change. passRun matches those of the runs that a pass requested, of
// which many are under way at the same time: their calls are told apart by their targets
// and by counting only.
var (
	timedRun = regexp.MustCompile(`\b([fh][a-z2-7]{26}|\d+-[a-z2-7]{16})\b`)
	passRun  = regexp.MustCompile(`\b[rbc][a-z2-7]{26}\b`)
)

// name names the call identically in every repetition of a scenario. A batch is named by
// the first of its keys, and which one of such ids that is depends on the time.
func (b *boundary) name(call cloud.Call) string {
	name := passRun.ReplaceAllString(call.String(), "RUN")
	if call.Operation == "BatchGetItem" {
		return timedRun.ReplaceAllString(name, "RUN")
	}
	return timedRun.ReplaceAllStringFunc(name, b.number)
}

// number replaces the id of such a run or pass by one that is the same each time.
func (b *boundary) number(id string) string {
	if b.timed[id] == "" {
		kind := id[:1]
		if strings.Contains(id, "-") {
			kind = "pass "
		}
		n := 1
		for _, other := range b.timed {
			if strings.HasPrefix(other, kind) {
				n++
			}
		}
		b.timed[id] = fmt.Sprint(kind, n)
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
