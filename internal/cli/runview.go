package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// run prints one run with the outcome of its targets.
func (p *printer) run(r apiclient.Run) {
	status := p.status(string(r.Status))
	if r.Stage != "" && r.Stage != surgical.StageDone {
		status.text += ", " + string(r.Stage)
	}
	p.pairs(
		pair("run", cell{r.RunID, p.strong}),
		pair("status", status),
		pair("project", number(r.ProjectID)),
		pair("targets", plain("%s", targets(r.Targets, 8))),
		pair("origin", plain("%s", r.Origin)),
		pair("options", plain("%s", options(r.Options))),
		pair("created", plain("%s", moment(r.CreatedAt))),
		pair("ended", plain("%s", moment(r.FinishedAt))),
		pair("attempts", number(r.Attempts)),
		pair("behind event", plain("%s", behind(r))),
		pair("covered by", plain("%s", r.CoalescedWith)),
		pair("retry of", plain("%s", r.RetryOf)),
		pair("retried by", plain("%s", r.RetriedBy)),
		pair("timings", plain("%s", timings(r.TimingsMS))),
		pair("counters", plain("%s", counters(r.Counters))),
		pair("jobs", plain("%s", jobs(r.Jobs))),
		pair("error", p.problem(r.Error)),
	)
	var rows [][]cell
	for _, e := range r.Entities {
		rows = append(rows, []cell{
			plain("%s", e.Type), plain("%d", e.IID), p.outcome(e), plain("%s", e.Stage), {string(e.Code), p.bad}, plain("%s", cmp.Or(preview(e), e.Message)),
		})
	}
	if len(rows) > 0 {
		p.line("")
		p.table([]string{"TYPE", "IID", "STATUS", "STAGE", "ERROR", "MESSAGE"}, rows)
	}
	for _, e := range r.Entities {
		for _, warning := range e.Warnings {
			p.wrapped(p.warn, "%s: %s", e.Target, warning)
		}
	}
}

// behind says that a run's copy may not show its event yet.
func behind(r apiclient.Run) string {
	if !r.BehindEvent {
		return ""
	}
	return "GitLab's answer was older than the event, or lacked a comment; it is fetched again within minutes"
}

// outcome returns a target's status. One that only another's failure kept from being
// stored did not fail itself.
func (p *printer) outcome(e apiclient.RunEntity) cell {
	if e.Code == surgical.CodeAbortedByPeer {
		return cell{"not attempted", p.warn}
	}
	return p.status(string(e.Status))
}

// preview describes what a preflight found.
func preview(e apiclient.RunEntity) string {
	if e.Preview == nil {
		return ""
	}
	return fmt.Sprintf("updated %s, %d bytes, %d discussions, %d events", moment(e.Preview.UpdatedAt), e.Preview.Bytes, e.Preview.Discussions, e.Preview.Events)
}

func (p *printer) problem(f *problem.Problem) cell {
	if f == nil {
		return cell{}
	}
	e := f.Err()
	return cell{fmt.Sprintf("%s: %s", e.Code, e.Message), p.bad}
}

// number returns a number, or an empty cell for zero.
func number(n int64) cell {
	if n == 0 {
		return cell{}
	}
	return plain("%d", n)
}

func options(o surgical.Options) string {
	var set []string
	for _, option := range []struct {
		name string
		set  bool
	}{{"preflight_only", o.PreflightOnly}, {"dry_run", o.DryRun}, {"no_docs", o.NoDocs}, {"no_embed", o.NoEmbed}} {
		if option.set {
			set = append(set, option.name)
		}
	}
	return strings.Join(set, ", ")
}

// timings lists the total and the stages in order.
func timings(ms map[string]int64) string {
	var parts []string
	for _, stage := range []string{"total", "preflight", "ingest", "docs", "embed"} {
		if n, ok := ms[stage]; ok {
			parts = append(parts, stage+" "+duration.Text(time.Duration(n)*time.Millisecond))
		}
	}
	return strings.Join(parts, ", ")
}

// counters lists the counters that are not zero, by name.
func counters(counted map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		if n := counted[name]; n != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", strings.ReplaceAll(name, "_", " "), n))
		}
	}
	return strings.Join(parts, ", ")
}

func jobs(all map[string]map[string]int) string {
	var parts []string
	for _, stage := range []string{"docs", "embed"} {
		for _, status := range slices.Sorted(maps.Keys(all[stage])) {
			if n := all[stage][status]; n != 0 {
				parts = append(parts, fmt.Sprintf("%s %d %s", stage, n, status))
			}
		}
	}
	return strings.Join(parts, ", ")
}
