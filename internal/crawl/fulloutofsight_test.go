package crawl_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// full makes the reconcile await n runs that have ended without bringing their entities
// up to date: so many that it cannot read another page. listed says whether its lists
// have ended.
func (w *world) full(n int64, listed bool) {
	w.T.Helper()
	w.cycle()
	p, now := w.pass(surgical.PassReconcile), w.Clock.Now()
	p.Status, p.StartedAt, p.DueAt, p.FinishedAt, p.Leg = surgical.StatusRunning, now, now, time.Time{}, 0
	if listed {
		p.Leg = len(p.Legs)
	}
	var awaited []surgical.Awaited
	for iid := int64(1000); iid < 1000+n; iid++ {
		entry := surgical.Entry{Target: issue(iid).Target, UpdatedAt: now}
		awaited = append(awaited, surgical.Awaited{Entry: entry, RunID: fmt.Sprint("ended-", iid), ListedAt: now})
	}
	var change ledger.PassChange
	for some := range slices.Chunk(awaited, surgical.MaxWindow) {
		change.Put = append(change.Put, surgical.Window{PassID: p.ID, Number: p.Windows, Sent: true, Awaited: some})
		p.Windows++
	}
	p.Outstanding = n
	if _, err := w.Ledger.SavePass(w.T.Context(), p, change); err != nil {
		w.T.Fatal(err)
	}
}

// manyAwaited is how many entities make a reconcile full.
const manyAwaited = surgical.MaxOutstanding - surgical.ListPage + surgical.MaxWindow

// inFullWorlds runs f in worlds in which a worker has recorded that GitLab does not show the
// project, and so much waits for it that the reconcile requests no list.
func inFullWorlds(t *testing.T, f func(t *testing.T, w *world)) {
	for name, listed := range map[string]bool{"while it lists": false, "once it has listed": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.Unobserved = true
				w.full(manyAwaited, listed)
				if err := w.Ledger.UnseenProject(t.Context(), fakegitlab.ProjectID, w.Clock.Now()); err != nil {
					t.Fatal(err)
				}
				f(t, w)
			})
		})
	}
}

func TestReconcile_ThatIsFullLooksWhetherItsProjectIsBack(t *testing.T) {
	inFullWorlds(t, func(t *testing.T, w *world) {
		w.Clock.Advance(surgical.ReconcileInterval)
		w.Crawl()
		if p := w.project(); !p.UnseenSince.IsZero() {
			t.Errorf("GitLab shows it, and it is out of sight since %s", p.UnseenSince)
		}
		if p := w.pass(surgical.PassReconcile); p.Outstanding != manyAwaited || p.Error != nil || len(w.Runs()) != manyAwaited {
			t.Errorf("%d runs, the cycle is %+v", len(w.Runs()), p)
		}
	})
}

func TestReconcile_ThatIsFullHidesAProjectOutOfSight(t *testing.T) {
	inFullWorlds(t, func(t *testing.T, w *world) {
		w.GitLab.HideProject(fakegitlab.ProjectID, true)
		for range 3 {
			w.Clock.Advance(time.Hour)
			w.Crawl()
		}
		if p := w.pass(surgical.PassReconcile); surgical.CodeOf(p.Error) != surgical.CodeGitLabNotFound || w.emitted(metrics.ProjectsUnseen().Name) < 3 {
			t.Errorf("after 3 hours, the cycle is %+v", p)
		}
		w.Clock.Advance(21 * time.Hour)
		w.Crawl()
		if p := w.project(); p.HiddenAt.IsZero() {
			t.Errorf("after a day: %+v", p)
		}
	})
}
