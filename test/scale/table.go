package scale

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// populations are over how many entities the events are spread in the tables; the second
// is used elsewhere.
func populations() []float64 { return []float64{100, 1_000, 10_000} }

// Markdown returns the tables of docs/scale.md.
func (d Deployed) Markdown(c cost.Counts, seen map[string][]float64) string {
	var b strings.Builder
	b.WriteString(d.busyTable(c))
	b.WriteString(d.limitsTable(c))
	b.WriteString(d.outageTable(c))
	b.WriteString(d.backfillTable(c))
	b.WriteString(d.hotTable(c))
	b.WriteString(d.simulatedTable(c, seen))
	b.WriteString("### Assumptions\n\n")
	for _, line := range assumptions() {
		b.WriteString("- " + line + "\n")
	}
	return b.String()
}

// better is the stack with the setting that is advised for the most that GitLab sends.
func (d Deployed) better(c cost.Counts) Deployed {
	if s, ok := advised(Full(populations()[1]), d.Bulk, d.timesOf(c)); ok {
		d.Setting = s
	}
	return d
}

func (d Deployed) busyTable(c cost.Counts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### A busy namespace: %s events a minute, %s requests\n\n", thousands(EventsAMinute), thousands(RequestsAMinute))
	b.WriteString("| events about | settings | requests to GitLab a minute | events per fetch | an entity is fetched every | lag, mean, if workers keep up | lag, longest | $ an hour, estimate (bounds) |\n|---:|---|---:|---:|---:|---:|---:|---:|\n")
	for _, n := range populations() {
		for i, d := range []Deployed{d, d.better(c)} {
			l := Full(n)
			r := steady(l, d.Setting, d.timesOf(c))
			fmt.Fprintf(&b, "| %s entities | %s | %s | %.0f | %s | %s | %s | %s |\n",
				thousands(n), []string{"default", "advised"}[i], thousands(60*r.Requests), r.Coalescing, span(r.Cycle), span(r.Lag), span(r.MaxLag), dollars(d.ofLoad(l, c)))
		}
	}
	t := d.timesOf(c)
	b.WriteString("\n| | messages a second that workers process | of | workers keep up | if not, after an hour events show later by |\n|---|---:|---:|---|---:|\n")
	for i, d := range []Deployed{d, d.better(c)} {
		l := Full(populations()[1])
		r := steady(l, d.Setting, t)
		keeps := "no"
		switch {
		case r.Fewest >= l.Events:
			keeps = "yes"
		case r.Most >= l.Events:
			keeps = "if SQS mixes entities in its batches"
		}
		later := ""
		if r.Fewest < l.Events {
			later = span(seconds((1 - r.Fewest/l.Events) * lasting.Seconds()))
		}
		fmt.Fprintf(&b, "| %s: %s | %s to %s | %.0f | %s | %s |\n", []string{"default", "advised"}[i], d.Setting, thousands(r.Fewest), thousands(r.Most), l.Events, keeps, later)
	}
	b.WriteString("\n")
	return b.String()
}

func (d Deployed) limitsTable(c cost.Counts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Which limit comes first\n\nAt %s events a minute about %s entities, by the advised settings:\n\n| limit | used | of | | then |\n|---|---:|---:|---:|---|\n", thousands(EventsAMinute), thousands(populations()[1]))
	for _, l := range d.better(c).limits(Full(populations()[1]), c) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", l.Name, amount(l.Used), amount(l.Allowed), percent(l.share()), l.Then)
	}
	b.WriteString("\n")
	most := populations()[len(populations())-1]
	if waiting := steady(Full(most), d.better(c).Setting, d.timesOf(c)).Waiting; waiting > looked {
		fmt.Fprintf(&b, "With %s entities, %s messages wait, which is more than SQS looks at: the lags above are then those of a queue that serves the oldest first.\n\n", thousands(most), thousands(waiting))
	}
	return b.String()
}

// loads of an outage are parts of the most that GitLab.com sends.
func loads() []Load {
	quiet, busy, full := Full(100), Full(1_000), Full(1_000)
	quiet.Events, busy.Events = 100.0/60, EventsAMinute/60.0/10
	return []Load{quiet, busy, full}
}

func (d Deployed) outageTable(c cost.Counts) string {
	var b strings.Builder
	b.WriteString("### An outage of GitLab of an hour\n\n| events a minute, entities | settings | attempts | requests | messages at the end | of those in flight | events of the outage show after | those of an entity that first changed at its end | later events show as before after | $, of attempts |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, l := range loads() {
		for i, d := range []Deployed{d, d.better(c)} {
			o := during(l, d.Setting, d.timesOf(c))
			drained := spans(o.Soonest, o.Latest)
			if o.Latest == 0 { // workers process as much as arrives if batches have messages of ten entities
				drained = span(o.Soonest) + ", or not while as much arrives"
			}
			fmt.Fprintf(&b, "| %s, %s | %s | %s | %s | %s | %s | %s | %s | %s | %.2f |\n", thousands(60*l.Events), thousands(l.Entities), []string{"default", "advised"}[i],
				thousands(o.Attempts), thousands(o.Attempts*c.Failed.Calls("gitlab")), thousands(o.Messages), thousands(o.InFlight), span(o.Applied), spans(o.LastSoonest, o.LastLatest), drained, d.ofOutage(o, c))
		}
	}
	fmt.Fprintf(&b, "\nSQS looks at the first %s messages of a queue only, which is as many as %s events a minute are after %s. An entity whose first message is behind them is not tried until enough of those in front are processed. Messages in flight are limited to %s as well: beyond %s entities with ten messages each, SQS delivers those of others only as these end.\n\n",
		thousands(looked), thousands(EventsAMinute), span(seconds(looked/(EventsAMinute/60.0))), thousands(inFlight), thousands(inFlight/surgical.BatchSize))
	return b.String()
}

func (d Deployed) backfillTable(c cost.Counts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### A backfill of %s entities\n\n| | default: %s | faster: %s |\n|---|---:|---:|\n", thousands(entities), d.Setting, forBackfill(RequestsAMinute/60.0, d.Bulk))
	var all []Backfill
	for _, s := range []Setting{d.Setting, forBackfill(RequestsAMinute/60.0, d.Bulk)} {
		all = append(all, backfill(entities, RequestsAMinute/60.0, s, c))
	}
	row := func(name string, of func(Backfill) string) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, of(all[0]), of(all[1]))
	}
	row("requests to GitLab, in millions", func(x Backfill) string { return fmt.Sprintf("%.1f", x.Requests/1e6) })
	row("requests a second", func(x Backfill) string { return fmt.Sprintf("%.0f", x.Rate) })
	row("takes", func(x Backfill) string { return span(x.Takes) })
	row(fmt.Sprintf("requests a minute to Bedrock, of %d", bedrockRequests), func(x Backfill) string { return thousands(x.Embedded) })
	row(fmt.Sprintf("write units a second, of %s", thousands(newTableWrites)), func(x Backfill) string { return thousands(x.Writes) })
	row("$ in all", func(Backfill) string { return fmt.Sprintf("%.0f", d.ofBackfill(entities, c)) })
	row("a census of as many takes", func(x Backfill) string { return span(x.Census) })
	b.WriteString("\n")
	return b.String()
}

func (d Deployed) hotTable(c cost.Counts) string {
	var b strings.Builder
	b.WriteString("### A hot issue: a comment every second\n\n| lasts | settings | comments | fetches | comments per fetch | requests to GitLab | of the last fetch | lag, mean | lag, last | $, at least |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, lasts := range []time.Duration{10 * time.Minute, time.Hour} {
		for i, d := range []Deployed{d, d.better(c)} {
			h := hot(1, lasts, d.Setting, d.timesOf(c))
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f | %s | %.0f | %s | %s | %.3f |\n", span(lasts), []string{"default", "advised"}[i], thousands(h.Comments), thousands(h.Fetches), h.Comments/h.Fetches, thousands(h.Requests), h.LastRequests, span(h.Lag), span(h.Last), d.ofHot(h, c))
		}
	}
	fmt.Fprintf(&b, "\nA message group takes %d calls a second, and one partition of DynamoDB %s write units: an issue that is fetched every %s uses neither.\n\n", fifoCalls, thousands(surgical.PartitionWriteUnits), span(surgical.RefetchInterval))
	return b.String()
}

func dollars(d Dollars) string {
	return fmt.Sprintf("%.1f (%.1f to %.1f)", d.Estimate, d.Least, d.Most)
}

func percent(share float64) string {
	if share < 0.0095 {
		return "under 1%"
	}
	return fmt.Sprintf("%.0f%%", 100*share)
}

// amount is a number with as many digits as tell something.
func amount(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return thousands(n)
}

// thousands is a whole number with commas.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", math.Round(n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// span is a duration in the unit that suits it.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// spans is a time between two.
func spans(least, most time.Duration) string {
	if span(least) == span(most) {
		return span(most)
	}
	return span(least) + " to " + span(most)
}
