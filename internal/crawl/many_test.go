package crawl_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestReconcile_FindsMoreThanMayBeOutstanding(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.cycle()
		w.Clock.Advance(time.Hour)
		const many = surgical.MaxOutstanding + surgical.ListPage
		for i := range int64(many) {
			w.GitLab.SetIssue(fakegitlab.NewIssue(100+i, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(time.Duration(i-many) * time.Second)}))
		}
		w.Clock.Advance(surgical.ReconcileInterval)
		for range 4 { // two rounds of runs, the end of the cycle, and the next one
			w.Crawl()
			if p := w.pass(surgical.PassReconcile); p.Outstanding > surgical.MaxOutstanding {
				t.Fatalf("the cycle is %+v", p)
			}
			w.settleRuns()
			w.Clock.Advance(surgical.ReconcileInterval)
		}
		p := w.pass(surgical.PassReconcile)
		if runs := len(w.Runs()); runs != many || !p.Listed() || p.Outstanding != 0 {
			t.Errorf("%d runs, the last cycle is %+v", runs, p)
		}
		if got := w.missed(); got != many {
			t.Errorf("%v missed events, want %d", got, many)
		}
	})
}

func TestBackfill_SharesTheLimitOfRunsWithOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.GitLab.AddProject(2, "demo/two")
		for i := range int64(400) {
			one := fakegitlab.NewIssue(100+i, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(time.Duration(i-4000) * time.Second)})
			w.GitLab.SetIssue(one)
			one.ProjectID = 2
			w.GitLab.SetIssue(one)
		}
		for _, project := range []int64{fakegitlab.ProjectID, 2} {
			id := surgical.NewPassID(project, surgical.PassBackfill, "both")
			if _, err := w.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(project, id, id, w.Clock.Now())); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			w.Crawl()
			w.Clock.Advance(surgical.CrawlInterval)
		}
		if n := len(w.Bulk.Messages()); n > surgical.MaxOutstanding || n+surgical.ListPage <= surgical.MaxOutstanding {
			t.Errorf("%d messages", n)
		}
	})
}
