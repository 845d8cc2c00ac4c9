package cloud

import (
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxSweepInterval is what the sweeper's interval grows to in an idle cloud,
	// where hours just have to pass.
	maxSweepInterval = time.Hour
	// maxSteps ends a test that never settles.
	maxSteps = 3000
)

type timer struct {
	at time.Time
	do func()
}

// After calls a function once the given time has passed.
func (c *Cloud) After(d time.Duration, do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers = append(c.timers, timer{c.Clock.Now().Add(d), do})
}

// Settle runs queues, executions, schedule and timers, and moves the clock,
// until nothing is left to do: no message, no execution, no open run, no follow-up, no
// dirty source and nothing to sweep.
func (c *Cloud) Settle() {
	c.T.Helper()
	interval := surgical.SweepInterval
	for range maxSteps {
		if c.work() {
			interval = surgical.SweepInterval
			continue
		}
		if c.resting() {
			return
		}
		c.wait()
		if !c.Clock.Now().Before(c.nextSweep) {
			c.Sweep()
			if c.Crawls {
				c.Crawl()
			}
			if c.idle() && !c.Punctual {
				interval = min(2*interval, maxSweepInterval)
			}
			c.nextSweep = c.Clock.Now().Add(interval)
		}
	}
	c.T.Fatalf("the cloud does not settle: %d messages, unsettled %v", len(c.Requests.Messages())+len(c.Hides.Messages())+len(c.Bulk.Messages()), c.unsettled())
}

// work does everything that can be done now.
func (c *Cloud) work() bool {
	if do := c.due(); do != nil {
		do()
		return true
	}
	if c.Parallel {
		return c.executeAll() || c.Poll(c.Hides) || c.Poll(c.Requests) || c.Poll(c.Bulk)
	}
	if in, ok := c.takeExecution(); ok {
		c.Execute(in)
		return true
	}
	return c.Poll(c.Hides) || c.Poll(c.Requests) || c.Poll(c.Bulk)
}

// executeAll runs the executions that wait at the same time, and reports whether
// there were any.
func (c *Cloud) executeAll() bool {
	var all sync.WaitGroup
	some := false
	for in, ok := c.takeExecution(); ok; in, ok = c.takeExecution() {
		some = true
		all.Go(func() { c.Execute(in) })
	}
	all.Wait()
	return some
}

func (c *Cloud) due() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Clock.Now()
	for i, t := range c.timers {
		if !now.Before(t.at) {
			c.timers = slices.Delete(c.timers, i, i+1)
			return t.do
		}
	}
	return nil
}

// wait moves the clock to the next event.
func (c *Cloud) wait() {
	next := c.nextSweep
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	earlier(c.Hides.Next())
	earlier(c.Requests.Next())
	earlier(c.Bulk.Next())
	c.mu.Lock()
	for _, t := range c.timers {
		earlier(t.at)
	}
	c.mu.Unlock()
	c.Clock.AdvanceTo(next)
}

// idle reports whether there is nothing to do but wait.
func (c *Cloud) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers) == 0 && len(c.executions) == 0 && c.Requests.Next().IsZero() && c.Hides.Next().IsZero() && c.Bulk.Next().IsZero()
}

func (c *Cloud) resting() bool { return c.idle() && len(c.unsettled()) == 0 }

// unsettled lists the runs that are open or due for a sweep, the follow-ups that are
// pending, and the dirty sources.
func (c *Cloud) unsettled() []string {
	var left []string
	for _, row := range c.Rows(c.tables.SyncRuns) {
		status := text(row["status"])
		if status == "queued" || status == "running" || row["sweep"] != nil {
			left = append(left, "run "+text(row["run_id"])+" "+status)
		}
	}
	for _, id := range c.openPasses() {
		left = append(left, "pass "+id)
	}
	for _, row := range c.Rows(c.tables.DependentQueue) {
		if text(row["scope_run_id"]) == "follow_ups" {
			left = append(left, "follow-up of "+text(row["job_id"]))
		}
	}
	for _, row := range c.Rows(c.tables.DirtySources) {
		left = append(left, "dirty "+text(row["dirty_id"]))
	}
	return left
}

// openPasses are those that run, those with runs that have not ended, and the requests
// for several that run.
func (c *Cloud) openPasses() []string {
	if !c.Crawls {
		return nil
	}
	var open []string
	requests, err := c.Ledger.BackfillRequests(c.T.Context())
	if err != nil {
		c.T.Fatal(err)
	}
	for _, r := range requests {
		if r.Status == surgical.StatusRunning {
			open = append(open, r.ID)
		}
	}
	for pass, err := range c.Ledger.Passes(c.T.Context()) {
		if err != nil {
			c.T.Fatal(err)
		}
		// A census takes days.
		if pass.Status == surgical.StatusRunning && pass.Kind != surgical.PassCensus || pass.Outstanding > 0 {
			open = append(open, pass.ID)
		}
	}
	return open
}

// scan is [Cloud.Rows] on any engine.
func (c *Cloud) scan(table string) []dynamo.Item {
	var rows []dynamo.Item
	pages := dynamodb.NewScanPaginator(c.db, &dynamodb.ScanInput{TableName: &table})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.T.Context())
		if err != nil {
			c.T.Fatal(err)
		}
		rows = append(rows, page.Items...)
	}
	return rows
}

func text(value types.AttributeValue) string {
	if s, ok := value.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
