package cost

import (
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/infra/prices"
)

// Figure is one line of make bench and make cost.
type Figure struct {
	Name  string
	Value float64
	Unit  string
	// Floor is what the value is compared with, and Reach the most that it is to be; 0
	// for none.
	Floor, Reach float64
}

const (
	// idleReach and millionReach are dollars; naiveReach is a part of the naive design.
	idleReach    = 8
	millionReach = 60
	naiveReach   = 1.0 / 5
)

// Figures returns what the stack costs.
func (s Stack) Figures(c Counts) []Figure {
	idle := s.idle(c.Idle)
	figures := []Figure{
		{"idle", idle.Sum(), "$ a month", float64(s.Secrets) * prices.SecretMonth, idleReach},
		{"1,000 searches", s.searches(c).Sum(), "$", 0, 0},
		{"1,000 copies: made", s.copies(c).Sum(), "$", 0, 0},
		{"100,000 copies: made", s.manyCopies(c.First).Sum(), "$", 0, 0},
		{"1,000 copies: kept, fetched again by a census each week", s.kept(c), "$ a month", 0, 0},
		{"a GB in DynamoDB, with point-in-time recovery", prices.TableGBMonth + prices.RecoveryGBMonth, "$ a month", 0, 0},
	}
	for i, n := range Discussions() {
		name := fmt.Sprintf("a million comments on issues with %d", n)
		ours, naive := s.million(c.Changes[i], false).Sum(), s.million(c.Naive[i], true).Sum()
		figures = append(figures,
			Figure{name, ours, "$", 0, millionReach},
			Figure{name + ", as a part of the naive design", ours / naive, "", 1, naiveReach})
	}
	return figures
}

// Sentences are what README.md says of costs.
func (s Stack) Sentences(c Counts) []string {
	return []string{
		fmt.Sprintf("an idle stack costs $%.2f a month", s.idle(c.Idle).Sum()),
		fmt.Sprintf("1,000 changes $%.2f", s.million(c.Changes[0], false).Sum()/1000),
	}
}

// searches is 1,000 searches.
func (s Stack) searches(c Counts) Dollars { return s.price(c.Search.times(1000), false) }

// copies is making 1,000 copies.
func (s Stack) copies(c Counts) Dollars { return s.price(c.First.times(1000), false) }

// manyCopies is making 100,000 copies, or fetching them again.
func (s Stack) manyCopies(one Counted) Dollars { return s.price(one.times(100_000), false) }

// kept is a month of 1,000 copies: what they take in the tables and in the bucket, and the
// censuses.
func (s Stack) kept(c Counts) float64 {
	const gigabyte = 1 << 30
	stored := 1000*c.First.Bytes/gigabyte*(prices.TableGBMonth+prices.RecoveryGBMonth) + 1000*c.First.Index/gigabyte*prices.ObjectGBMonth
	return stored + s.price(c.Census.times(1000*censuses), false).Sum()
}

// censuses is how many there are in a month.
const censuses = prices.HoursOfMonth / 24 / 7

// Markdown returns the tables of docs/cost.md.
func (s Stack) Markdown(c Counts) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	idle, small := s.idle(c.Idle), s.million(c.Changes[0], false)
	line("| | $ |")
	line("|---|---:|")
	line("| **idle**: a month in which nothing happens | %.2f |", idle.Sum())
	line("| **1,000 changes**, each a comment on an issue with %d | %.2f |", Discussions()[0], small.Sum()/1000)
	line("| **a million changes** of this kind | %.2f |", small.Sum())
	line("| **1,000 searches** | %.3f |", s.searches(c).Sum())
	line("| **1,000 copies** of issues with %d comments: made | %.2f |", notes, s.copies(c).Sum())
	line("| kept for a month, and fetched again by a census each week | %.2f |", s.kept(c))
	line("| **100,000 copies** of issues with %d comments: made | %.2f |", notes, s.manyCopies(c.First).Sum())
	line("| **a GB** in DynamoDB for a month, and in its point-in-time recovery | %.2f |", prices.TableGBMonth+prices.RecoveryGBMonth)
	line("| a GB of the search index for a month | %.3f |", prices.ObjectGBMonth)
	line("| a GB of logs, ingested and kept for a month | %.2f |", logs(1e9))
	line("")
	line("### Idle")
	line("")
	line("| | | $ a month |")
	line("|---|---|---:|")
	about := s.about(c)
	for _, name := range order {
		if idle[name] >= 0.005 {
			line("| %s | %s | %.2f |", name, about[name], idle[name])
		}
	}
	line("| **all** | | **%.2f** |", idle.Sum())
	line("")
	b.WriteString(s.copiesTable(c))
	line("")
	line("### A million changes")
	line("")
	head, rule := "| comments on issues with", "|---|"
	for _, n := range Discussions() {
		head += fmt.Sprintf(" | %d | naive", n)
		rule += "---:|---:|"
	}
	line("%s |", head)
	line("%s", rule)
	ours, naive := make([]Dollars, len(c.Changes)), make([]Dollars, len(c.Changes))
	for i := range c.Changes {
		ours[i], naive[i] = s.million(c.Changes[i], false), s.million(c.Naive[i], true)
	}
	for _, name := range order {
		row, some := "| "+name, false
		for i := range ours {
			row += fmt.Sprintf(" | %.2f | %.2f", ours[i][name], naive[i][name])
			some = some || ours[i][name] >= 0.005
		}
		if some {
			line("%s |", row)
		}
	}
	row := "| **all**"
	for i := range ours {
		row += fmt.Sprintf(" | **%.2f** | %.2f", ours[i].Sum(), naive[i].Sum())
	}
	line("%s |", row)
	row = "| a part of the naive design"
	for i := range ours {
		row += fmt.Sprintf(" | %.2f | ", ours[i].Sum()/naive[i].Sum())
	}
	line("%s |", row)
	line("")
	line("| a change of an issue with %d comments, by function | write units | read units | calls to DynamoDB | s | $ a million, of Lambda |", Discussions()[0])
	line("|---|---:|---:|---:|---:|---:|")
	for _, name := range []string{"webhook", "worker", "docs", "embed", "finish", "feed", "indexer", "builder"} {
		u := c.Changes[0].Functions[name]
		one := Counted{Functions: map[string]Used{name: u.times(1e6)}}
		line("| %s | %.1f | %.1f | %.1f | %.2f | %.2f |", name, u.Writes, u.Reads, u.Calls[toDynamoDB]+u.Calls[toTransaction], seconds(u, s.Functions[name]), s.price(one, false)[forLambda])
	}
	return b.String()
}

// copiesTable is what 100,000 copies cost, by service.
func (s Stack) copiesTable(c Counts) string {
	var b strings.Builder
	made, again := s.manyCopies(c.First), s.manyCopies(c.Census)
	fmt.Fprintf(&b, "### 100,000 copies\n\n| issues with %d comments | made | fetched again by a census |\n|---|---:|---:|\n", notes)
	for _, name := range order {
		if made[name] >= 0.005 || again[name] >= 0.005 {
			fmt.Fprintf(&b, "| %s | %.2f | %.2f |\n", name, made[name], again[name])
		}
	}
	fmt.Fprintf(&b, "| **all** | **%.2f** | **%.2f** |\n", made.Sum(), again.Sum())
	return b.String()
}

// about says what the idle costs are for.
func (s Stack) about(c Counts) map[string]string {
	writes, reads := c.Idle.Units()
	return map[string]string{
		forSecrets:   fmt.Sprintf("%d secrets, and the crawler's readings", s.Secrets),
		forAlarms:    fmt.Sprintf("%d, each on one metric", s.AlarmMetrics),
		forDashboard: fmt.Sprintf("%d", s.Dashboards),
		forMetrics:   fmt.Sprintf("%.0f", c.Idle.Series),
		forPolling:   fmt.Sprintf("Lambda's polls of %d FIFO queues and %d other", s.PolledFIFO, s.PolledStandard),
		forDynamoDB:  fmt.Sprintf("%.0f write units and %.0f read units an hour", writes, reads),
		forLambda:    fmt.Sprintf("%.0f invocations an hour of sweeper, crawler, indexer and feed", c.Idle.invocations()),
		forLogs:      "of these",
		forTraces:    "of those that are traced",
		forS3:        fmt.Sprintf("%.0f requests an hour", c.Idle.Calls(toS3)+c.Idle.Calls(toS3Get)),
		forKeys:      fmt.Sprintf("the key of DynamoDB, for %d tables", s.ManagedKeys),
	}
}
