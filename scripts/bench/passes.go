package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// The size of the project whose backfill and reconcile are measured.
const issues, notes, mergeRequests = 1000, 5, 100

// censusIssues are the sizes of the projects whose census is measured: what it takes for
// a copy must not grow with the project.
var censusIssues = []int{1000, 12000}

// project is a project of its own, on the in-memory DynamoDB.
type project struct {
	*cloud.World
	calls    *calls
	consumed *consumed
}

func newProject(t cloud.TB, issues, notes, mergeRequests int) project {
	db, tables := fakedynamodb.New()
	w := project{calls: &calls{}, consumed: &consumed{}}
	w.calls.reset()
	w.World = cloud.NewWorld(t, cloud.Intercept(db.Client(), func(_ context.Context, call cloud.Call, send func() error) error {
		w.calls.count(call.Operation, call.Input)
		return w.consumed.watch(call, send)
	}), tables)
	w.Functions.Crawler.Census = 0
	for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(7), fakegitlab.IssueRef(8), fakegitlab.IssueRef(9), fakegitlab.MergeRequestRef(12)} {
		w.GitLab.Delete(ref)
	}
	created := w.Clock.Now().Add(-24 * time.Hour)
	next := func() fakegitlab.Time {
		created = created.Add(time.Second)
		return fakegitlab.Time{Time: created}
	}
	for iid := range int64(issues) {
		at := next()
		w.GitLab.SetIssue(fakegitlab.NewIssue(iid+1, fmt.Sprint("Issue ", iid+1), "What it is about.", at))
		for n := range notes {
			w.GitLab.AddDiscussion(fakegitlab.IssueRef(iid+1), fakegitlab.Note{Body: fmt.Sprint("Comment ", n), CreatedAt: at, UpdatedAt: at})
		}
	}
	for iid := range int64(mergeRequests) {
		w.GitLab.SetMergeRequest(fakegitlab.NewMergeRequest(iid+1, fmt.Sprint("Merge request ", iid+1), "What it does.", next()))
	}
	return w
}

// minute lets one pass: the crawler starts, and what it requested is done.
func (p project) minute() {
	p.Crawl()
	for range 3 {
		p.Clock.Advance(surgical.CrawlInterval / 3)
		for p.Poll(p.Bulk) {
		}
		p.Drive()
	}
}

// pass lets minutes pass until a pass of the kind other than the given one has ended. It
// leaves out those in which the pass only waits.
func (p project) pass(kind surgical.PassKind, before string, longest time.Duration) surgical.Pass {
	for began := p.Clock.Now(); p.Clock.Now().Sub(began) < longest; {
		p.minute()
		pass := p.last(kind)
		switch {
		case pass.ID != before && pass.Status.Terminal() && pass.Outstanding == 0:
			return pass
		case pass.DueAt.After(p.Clock.Now()):
			p.Clock.AdvanceTo(pass.DueAt)
		}
	}
	p.T.Fatalf("the %s does not end within %s", kind, longest)
	return surgical.Pass{}
}

func (p project) last(kind surgical.PassKind) surgical.Pass {
	pass, err := p.Ledger.Pass(p.T.Context(), fakegitlab.ProjectID, kind)
	if err != nil {
		p.T.Fatal(err)
	}
	return pass
}

func (p project) backfill() surgical.Pass {
	id := surgical.NewPassID(fakegitlab.ProjectID, surgical.PassBackfill, "bench")
	if _, err := p.Ledger.StartBackfill(p.T.Context(), surgical.NewBackfill(fakegitlab.ProjectID, id, id, p.Clock.Now())); err != nil {
		p.T.Fatal(err)
	}
	return p.pass(surgical.PassBackfill, "", 24*time.Hour)
}

// requested returns the requests to GitLab so far: for entities, and for lists.
func (p project) requested() (entities, lists float64) {
	for endpoint, n := range p.GitLab.Requests() {
		switch {
		case strings.Contains(endpoint, "#"):
			entities += float64(n)
		case endpoint == "1 issues" || endpoint == "1 merge_requests":
			lists += float64(n)
		}
	}
	return entities, lists
}

// passes measures a backfill, a reconcile with nothing to do, and a census.
func (b *bench) passes(t cloud.TB) {
	const entities = issues + mergeRequests
	w := newProject(t, issues, notes, mergeRequests)
	w.backfill()
	fetched, listed := w.requested()
	b.add("backfill of 1,000 issues and 100 merge requests: an entity", fetched/entities, "requests", 5)
	b.add("  lists, those of a reconcile included", listed, "requests", 20)
	b.add("  time at the default rate", fetched/(surgical.BulkConcurrency*surgical.DefaultRequestsPerSecond)/60, "minutes", 0)

	for range 2 * int(surgical.ReconcileOverlap/surgical.CrawlInterval) {
		w.minute() // until nothing is left to find
	}
	_, before := w.requested()
	w.Clock.Advance(surgical.ReconcileInterval)
	w.Crawl()
	_, after := w.requested()
	b.add("reconcile of a project in which nothing changed", after-before, "requests", 2)
	w.calls.reset()
	w.consumed.reset()
	w.minute()
	b.add("a start of the crawler with nothing to do: DynamoDB", float64(w.calls.total()), "calls", 0)
	b.add("  read", w.consumed.reads, "read units", 0)

	for _, n := range censusIssues {
		b.census(t, n)
	}
}

// census measures a census of a project with this many issues.
func (b *bench) census(t cloud.TB, issues int) {
	w := newProject(t, issues, 0, 0)
	w.backfill()
	before, _ := w.requested()
	w.Functions.Crawler.Census, w.Functions.Crawler.Interval = surgical.CensusBudget, 3*surgical.CensusBudget // nothing but the census
	w.minute()                                                                                                // plans the first one
	first := w.last(surgical.PassCensus)
	w.Clock.AdvanceTo(first.DueAt)
	w.Output.Take()
	w.calls.reset()
	w.consumed.reset()
	start := w.Clock.Now()
	census := w.pass(surgical.PassCensus, first.ID, 2*surgical.CensusBudget)
	fetched, _ := w.requested()
	fetched -= before
	copies := float64(census.Counts.Done)
	b.add(fmt.Sprintf("census of %d issues: copies fetched again", issues), copies, "copies", 0)
	b.add("  a copy", fetched/copies, "requests", 5)
	b.add("  its lists", float64(census.Counts.Requests)-fetched, "requests", 5+float64(issues)/surgical.ListPage)
	b.add("  DynamoDB, a copy", float64(w.calls.total())/copies, "calls", 10)
	b.add("  read, a copy", w.consumed.reads/copies, "read units", 15)
	b.add("  time, of a budget of a week", w.Clock.Now().Sub(start).Hours()/24, "days", 7.1)
}
