package scale

import (
	"math"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Outage is what an hour means in which GitLab answers nothing but 503.
type Outage struct {
	// Attempts is how many fetches fail, each after its first requests.
	Attempts float64
	// Messages wait at the end, of which InFlight are hidden and not deleted.
	Messages, InFlight float64
	// Applied is how long after the end the copy shows every event of the outage about the
	// entities that were tried during it.
	Applied time.Duration
	// LastSoonest and LastLatest are how long after the end the copy shows the event of an
	// entity that changed for the first time as the outage ended, whose message is the last
	// one: if workers take it as soon as SQS looks at it, and batches have messages of ten
	// entities, or if they take the oldest first, and batches have messages of one.
	LastSoonest, LastLatest time.Duration
	// Soonest and Latest are how long after the end nothing waits any more, if batches have
	// messages of ten entities, or of one: until then, later events wait behind those of
	// the outage. They are 0 if more arrives than workers process.
	Soonest, Latest time.Duration
}

// during computes an outage under a load.
func during(l Load, s Setting, t times) Outage {
	each := l.Events / l.Entities
	hour := lasting.Seconds()
	// An entity is attempted with pauses that double, until the next message of it may
	// wait as long: half of a pause is random.
	pause, passed, tries := surgical.FirstDelay, 1/each, 1.0
	for passed += mean(pause); passed < hour; passed += mean(pause) {
		tries++
		pause = min(2*pause, surgical.MaxDelay)
	}
	// Workers may be too few for that.
	possible := float64(s.Workers) * s.Rate / l.Requests * hour
	o := Outage{Attempts: math.Min(l.Entities*tries, possible), Messages: l.Events * hour}
	o.InFlight = l.Entities * math.Min(surgical.BatchSize, each*hour)
	// Then each entity waits for the end of its pause, and for its turn.
	r := steady(l, s, t)
	o.Applied = surgical.MaxDelay + seconds(l.Entities/l.allowed(s)) + surgical.Settle + seconds(t.fetch)
	if beyond := o.Messages - looked; beyond > 0 {
		o.LastSoonest = seconds(beyond / r.Most)
	}
	o.LastSoonest = max(o.LastSoonest, o.Applied)
	o.LastLatest = o.Applied + seconds(o.Messages/r.Fewest)
	drained := func(messages float64) time.Duration {
		if messages <= l.Events {
			return 0
		}
		return o.Applied + seconds(o.Messages/(messages-l.Events))
	}
	o.Soonest, o.Latest = drained(r.Most), drained(r.Fewest)
	return o
}

// mean is the mean of a pause of which the second half is random.
func mean(pause time.Duration) float64 { return pause.Seconds() * 3 / 4 }
