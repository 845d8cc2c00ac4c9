package scale

import (
	"math"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// Load is what happens in GitLab.
type Load struct {
	// Events a second are spread evenly over so many entities.
	Events, Entities float64
	// Budget is how many requests a second GitLab answers.
	Budget float64
	// Requests is how many a fetch takes.
	Requests float64
}

// Full is the most that GitLab.com sends for a namespace.
func Full(entities float64) Load {
	return Load{Events: EventsAMinute / 60.0, Entities: entities, Budget: RequestsAMinute / 60.0, Requests: cost.FetchRequests}
}

// Steady is what a load results in if it lasts.
type Steady struct {
	// Fetches is how many there are a second, Requests how many requests, those that get
	// 429 included. Limited is set if there would be more if GitLab, or the workers' own
	// rate, allowed it.
	Fetches, Requests float64
	Limited           bool
	// Cycle is the time from one fetch of an entity to the next, and Coalescing the number
	// of events that one fetch covers.
	Cycle      time.Duration
	Coalescing float64
	// Lag is how long an event takes on average until the copy shows it, MaxLag what the
	// event right after a fetch takes.
	Lag, MaxLag time.Duration
	// Messages a second that workers can process: Fewest if each batch has one entity's,
	// Most if each has those of ten.
	Fewest, Most float64
	// Waiting is how many messages wait in the queue, if workers keep up.
	Waiting float64
}

// times of an invocation of the worker, in seconds, and the write units of an event in the
// index of runs by status, which all runs share.
type times struct{ between, covered, fetch, status float64 }

// byStatus is the index in which all runs of one status have one partition.
var byStatus = tables.SyncRuns().Name + "." + tables.RunsByStatus

// timesOf derives them from the counts: of an event that another fetch covers, and of a
// change, whose fetch takes its round trips.
func (d Deployed) timesOf(c cost.Counts) times {
	return times{
		between: cost.Between().Seconds(),
		covered: d.Seconds(c.Covered, "worker"),
		fetch:   d.Seconds(c.Changes[0], "worker"),
		status:  c.Covered.Hottest[byStatus],
	}
}

// steady computes it.
func steady(l Load, s Setting, t times) Steady {
	// Without any limit, an entity is fetched again once its copy is old enough and an
	// event has settled that the copy does not cover.
	interval := (surgical.RefetchInterval + wholeSecond).Seconds()
	each := l.Events / l.Entities
	seldom := math.Exp(-each * interval)
	cycle := interval + seldom/each
	allowed := l.allowed(s)
	r := Steady{Fetches: l.Entities / cycle}
	wait := interval / 2 * each * interval / (each*interval + seldom)
	longest, together := interval, 1.0
	if r.Fetches > allowed {
		r.Fetches, r.Limited = allowed, true
		cycle = l.Entities / allowed
		wait, longest = cycle/2, cycle
		// Batches are full, and their fetches share the worker's rate.
		together = math.Max(1, surgical.BatchSize*allowed/l.Events)
	}
	r.Coalescing, r.Requests = l.Events/r.Fetches, r.Fetches*l.Requests
	if r.Limited {
		r.Requests = math.Min(float64(s.Workers)*s.Rate, l.Budget)
	}
	fetch := math.Max(t.fetch, (together*l.Requests-math.Max(cost.FetchRequests, s.Rate))/s.Rate)
	settled := surgical.Settle.Seconds() + fetch
	r.Cycle, r.Lag, r.MaxLag = seconds(cycle), seconds(settled+wait), seconds(settled+longest)
	// What fetches leave of the workers' time is for events that are covered.
	free := math.Max(0, float64(s.Workers)-r.Fetches*t.fetch)
	r.Fewest = surgical.BatchSize * free / (t.between + surgical.BatchSize*t.covered)
	r.Most = surgical.BatchSize * free / (t.between + t.covered)
	r.Waiting = l.Events * wait
	return r
}

// allowed is how many fetches a second workers make at most. Where GitLab's budget ends
// before their own rates, each worker loses a fetch whenever the budget of a minute is
// spent.
func (l Load) allowed(s Setting) float64 {
	own := float64(s.Workers) * s.Rate
	if own <= l.Budget {
		return own / l.Requests
	}
	lost := float64(s.Workers) * l.Requests / budgetInterval.Seconds()
	return math.Max(0, l.Budget-lost) / l.Requests
}

// advised is the setting that fetches most of those that keep up with the events however
// SQS fills batches, and whose functions together stay within GitLab's budget. ok is false
// if there is none.
func advised(l Load, bulk int, t times) (best Setting, ok bool) {
	for workers := 2; workers <= maxWorkers; workers++ {
		rate := math.Floor(fullRate * l.Budget / float64(workers+bulk+1))
		if rate < leastRate {
			break
		}
		s := Setting{Workers: workers, Bulk: bulk, Rate: rate}
		if steady(l, s, t).Fewest >= l.Events && (!ok || float64(workers)*rate > float64(best.Workers)*best.Rate) {
			best, ok = s, true
		}
	}
	return best, ok
}

// maxWorkers is the most that workerConcurrency may say.
const maxWorkers = 1_000

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
