package scale

import (
	"math"

	"gitlab.com/lorehook/lorehook/test/cost"
)

// Dollars is what something costs, between two bounds, and an estimate.
type Dollars struct{ Least, Estimate, Most float64 }

// ofLoad is what an hour of a load costs: at least what fetches with one change each and
// the covered events cost, at most as many changes of their own as there are events, and
// by estimate fetches that bring all the comments that they cover.
func (d Deployed) ofLoad(l Load, c cost.Counts) Dollars {
	r := steady(l, d.Setting, d.timesOf(c))
	hour := lasting.Seconds()
	fetches, events := r.Fetches*hour, l.Events*hour
	covered := d.Price(c.Covered, events-fetches).Sum()
	waiting := 0.0
	if r.Limited { // workers wait for their rate, and are paid for
		busy := fetches*d.Seconds(c.Changes[0], "worker") + (events-fetches)*d.Seconds(c.Covered, "worker")
		waiting = d.Running("worker", math.Max(0, float64(d.Workers)*hour-busy))
	}
	return Dollars{
		Least:    d.Price(c.Changes[0], fetches).Sum() + covered,
		Estimate: d.Price(c.WithComments(r.Coalescing), fetches).Sum() + covered + waiting,
		Most:     d.Price(c.Changes[0], events).Sum() + waiting,
	}
}

// ofOutage is what the attempts of an hour without an answer cost.
func (d Deployed) ofOutage(o Outage, c cost.Counts) float64 {
	return d.Price(c.Failed, o.Attempts).Sum()
}

// ofBackfill is what the copies cost; no webhook announces them.
func (d Deployed) ofBackfill(n float64, c cost.Counts) float64 {
	first := c.First
	first.Gateway = 0
	return d.Price(first, n).Sum()
}

// ofHot is what the comments of a hot issue cost, as if it had no more than those that
// were counted: more of them cost more.
func (d Deployed) ofHot(h Hot, c cost.Counts) float64 {
	return d.Price(c.WithComments(h.Comments/h.Fetches), h.Fetches).Sum() + d.Price(c.Covered, h.Comments-h.Fetches).Sum()
}
