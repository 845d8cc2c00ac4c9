package cloud

import (
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
)

// pollInterval is how often a worker without messages looks for some.
const pollInterval = 50 * time.Millisecond

// RunFor runs queues, executions and schedules side by side for the given time, as AWS
// does: so many workers at a time on requests.fifo, and those of bulk.fifo. It needs a
// synctest bubble, whose time it lets pass.
func (c *Cloud) RunFor(d time.Duration, workers int) {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	loop := func(interval time.Duration, do func() (more bool)) {
		all.Go(func() {
			for time.Now().Before(end) {
				if !do() {
					time.Sleep(interval)
				}
			}
		})
	}
	poll := func(q *fakesqs.Queue, workers int) {
		for range workers {
			loop(pollInterval, func() bool { return c.Poll(q) })
		}
	}
	poll(c.Requests, workers)
	poll(c.Hides, surgical.HideConcurrency)
	poll(c.Bulk, surgical.BulkConcurrency)
	loop(pollInterval, c.executeAll)
	loop(surgical.SweepInterval, func() bool { c.Sweep(); return false })
	loop(surgical.CrawlInterval, func() bool {
		if c.Crawls {
			c.Crawl()
		}
		return false
	})
	all.Wait()
}
