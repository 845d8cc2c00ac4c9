package surgical

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// Finding is what a census found that nothing had announced.
type Finding string

// The findings. A census counts an entity once for each.
const (
	// FoundMissing: there was no copy of the entity.
	FoundMissing Finding = "missing"
	// FoundGone: GitLab no longer shows the entity.
	FoundGone         Finding = "gone"
	FoundDeletedNotes Finding = "deleted_notes"
	FoundApprovals    Finding = "approvals"
	// FoundLabels, FoundMilestones and FoundUsers: a label, milestone or user that the
	// entity refers to was renamed, or changed otherwise.
	FoundLabels     Finding = "labels"
	FoundMilestones Finding = "milestones"
	FoundUsers      Finding = "users"
	// FoundOther: anything else, such as an edit whose delivery was lost.
	FoundOther Finding = "other"
)

// Findings returns every finding.
func Findings() []Finding {
	return []Finding{FoundMissing, FoundGone, FoundDeletedNotes, FoundApprovals, FoundLabels, FoundMilestones, FoundUsers, FoundOther}
}

// DescribeFindings says how many entities were found to differ, by what it was:
// "2 gone, 40 labels", or "nothing".
func DescribeFindings(found map[Finding]int64) string {
	var parts []string
	for _, f := range Findings() {
		if n := found[f]; n > 0 {
			parts = append(parts, strconv.FormatInt(n, 10)+" "+strings.ReplaceAll(string(f), "_", " "))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Censused is the result of a census of a project.
type Censused struct {
	// Cycle names the pass.
	Cycle            string
	BeganAt, EndedAt time.Time
	// Listed counts the entities that GitLab's lists showed, Fetched those that were
	// fetched, and Failed those that could not be.
	Listed, Fetched, Failed int64
	// Requests counts the requests to GitLab.
	Requests int64
	// Found counts entities by what was found.
	Found map[Finding]int64
}

// Census returns the result of the pass, which ended at the time.
func (p Pass) Census(ended time.Time) Censused {
	return Censused{
		Cycle: p.ID, BeganAt: p.StartedAt, EndedAt: ended, Listed: p.Counts.Listed,
		Fetched: p.Counts.Done, Failed: p.Counts.Failed, Requests: p.Counts.Requests, Found: p.Found,
	}
}

// NewCensus returns the census that follows the last one of the project, if there was
// one. Of a project that was never copied completely it looks at the copies only: what
// else there is, is up to a backfill.
func NewCensus(last Pass, project Project, now time.Time) Pass {
	next := Pass{
		ProjectID: last.ProjectID, Kind: PassCensus, Revision: last.Revision,
		ID:     NewPassID(last.ProjectID, PassCensus, strconv.FormatInt(now.UnixMicro(), 10)),
		Status: StatusRunning, RequestedAt: now, StartedAt: now, DueAt: now,
	}
	if !project.CompleteSince.IsZero() {
		next.Legs = []Leg{{Type: Issue, Total: -1}, {Type: MergeRequest, Total: -1}}
	}
	next.Legs = append(next.Legs, Leg{Copies: true, Total: -1})
	return next
}

// FirstCensus takes the place of the last census of a project that has none: the next
// one begins a day later, when what is fetched first has been.
func FirstCensus(projectID int64, budget time.Duration, now time.Time) Pass {
	p := NewCensus(Pass{ProjectID: projectID}, Project{}, now)
	p.Status, p.FinishedAt, p.Legs = StatusSucceeded, now, nil
	p.DueAt = now.Add(min(budget, CensusRetry))
	return p
}

// Find adds what was found of some entities.
func (p Pass) Find(found map[Finding]int64) Pass {
	if len(found) == 0 {
		return p
	}
	p.Found = maps.Clone(p.Found)
	if p.Found == nil {
		p.Found = map[Finding]int64{}
	}
	for f, n := range found {
		p.Found[f] += n
	}
	return p
}

// NextCensus returns when the census after this one begins.
func (p Pass) NextCensus(budget time.Duration) time.Time {
	if p.Status == StatusFailed {
		return p.FinishedAt.Add(min(budget, CensusRetry))
	}
	return p.StartedAt.Add(budget)
}

// CensusPace spreads the copies that are left evenly over what is left of the budget.
// It returns how many to look at in this step, and how long to wait before the next
// one.
func (p Pass) CensusPace(left int64, budget time.Duration, now time.Time) (step int64, wait time.Duration) {
	remaining := p.StartedAt.Add(budget).Sub(now)
	if left <= 0 || remaining <= 0 {
		return ListPage, 0
	}
	starts := max(1, int64(remaining/CrawlInterval))
	step = min(ListPage, max(CensusStep, (left+starts-1)/starts))
	return step, remaining * time.Duration(step) / time.Duration(max(step, left))
}

// Aged reports whether a census has to fetch the copy again: it is older than the
// census. A copy that is known to be gone is not fetched unless a list shows it.
func (p Pass) Aged(h Head) bool {
	return h.HasCopy() && h.FetchedAt.Before(p.StartedAt)
}
