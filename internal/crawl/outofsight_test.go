package crawl_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// why says why readers do not see the entity, or "".
func (w *world) why(ref surgical.EntityRef) surgical.Concealment {
	w.T.Helper()
	head, err := w.Content.Head(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	_, why := surgical.Visible(head, surgical.Sight{HiddenAt: w.project().HiddenAt, Confidential: surgical.Include})
	return why
}

func (w *world) project() surgical.Project {
	w.T.Helper()
	p, err := w.Ledger.Project(w.T.Context(), fakegitlab.ProjectID)
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

// hours lets time pass, with a crawl every hour.
func (w *world) hours(n int) {
	for range n {
		w.Clock.Advance(time.Hour)
		w.Crawl()
		w.Settle()
	}
}

func TestCrawl_HidesAProjectOutOfSightAndRestoresWhatIsStillThere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		seven, eight := issue(7), issue(8)
		w.backfill()
		w.Settle()
		w.hours(2)
		if p := w.project(); p.CompleteAsOf.IsZero() || w.why(seven) != "" || w.why(eight) != "" {
			t.Fatalf("at the start: %+v, %q, %q", p, w.why(seven), w.why(eight))
		}
		w.GitLab.HideProject(fakegitlab.ProjectID, true)
		w.hours(20)
		if p := w.project(); p.UnseenSince.IsZero() || !p.HiddenAt.IsZero() || w.why(seven) != "" {
			t.Fatalf("after 20 hours: %+v, %q", p, w.why(seven))
		}
		w.hours(6)
		if p := w.project(); p.HiddenAt.IsZero() || !p.CompleteAsOf.IsZero() || w.why(seven) != surgical.ProjectHidden || w.why(eight) != surgical.ProjectHidden {
			t.Fatalf("after 26 hours: %+v, %q, %q", p, w.why(seven), w.why(eight))
		}
		w.GitLab.Delete(eight)
		w.GitLab.HideProject(fakegitlab.ProjectID, false)
		w.hours(4)
		if p := w.project(); !p.UnseenSince.IsZero() || p.CompleteAsOf.IsZero() {
			t.Errorf("back: %+v", p)
		}
		if w.why(seven) != "" || w.why(eight) != surgical.ProjectHidden {
			t.Errorf("back: issue 7 %q, issue 8 %q", w.why(seven), w.why(eight))
		}
		w.current(seven)
	})
}

func TestCrawl_HidesNothingThatIsBackWithinADay(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.backfill()
		w.Settle()
		runs := len(w.Runs())
		for range 3 {
			w.GitLab.HideProject(fakegitlab.ProjectID, true)
			w.hours(20)
			w.GitLab.HideProject(fakegitlab.ProjectID, false)
			w.hours(2)
		}
		if p := w.project(); !p.HiddenAt.IsZero() || !p.UnseenSince.IsZero() || w.why(issue(7)) != "" || len(w.Runs()) != runs {
			t.Errorf("%+v, issue 7 %q, %d runs after %d", p, w.why(issue(7)), len(w.Runs()), runs)
		}
	})
}

func TestCrawl_BackfillsOnceMoreWhatWasHiddenSinceItBegan(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.Clock.Advance(24 * time.Hour)
		w.backfill()
		w.Crawl()
		w.settleRuns()
		if why := w.why(issue(7)); why != "" || w.pass(surgical.PassBackfill).Status != surgical.StatusRunning {
			t.Fatalf("before: %q, %+v", why, w.pass(surgical.PassBackfill))
		}
		if err := w.Ledger.HideProject(t.Context(), fakegitlab.ProjectID, w.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Second)
		w.Settle()
		for _, ref := range []surgical.EntityRef{issue(7), issue(8), issue(9), fakegitlab.MergeRequestRef(12)} {
			if why := w.why(ref); why != "" {
				t.Errorf("%s is concealed as %q", ref, why)
			}
		}
		if p := w.project(); p.CompleteAsOf.IsZero() {
			t.Errorf("the backfill ended with %+v", p)
		}
	})
}

func TestReconcile_AFirstCycleThatFailedLeavesEverythingToABackfill(t *testing.T) {
	inWorld(t, func(w *world) {
		w.GitLab.HideProject(fakegitlab.ProjectID, true)
		for range surgical.NotFoundTries + 1 {
			w.cycle()
		}
		w.GitLab.HideProject(fakegitlab.ProjectID, false)
		w.add(70)
		for range 3 {
			w.cycle()
		}
		if runs := w.Runs(); len(runs) != 1 || runs[0].Targets[0] != issue(70).Target || w.missed() != 0 {
			t.Errorf("%d runs, %v missed events, the last cycle is %+v", len(runs), w.missed(), w.pass(surgical.PassReconcile))
		}
	})
}

// With a backlog, workers renew the pause before the crawler finds it over.
func TestCrawl_NoticesARefusedTokenWhileABacklogKeepsEverythingWaiting(t *testing.T) {
	for why, noticed := range map[surgical.Code]bool{surgical.CodeGitLabUnauthorized: true, surgical.CodeGitLabRateLimited: false} {
		t.Run(string(why), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.Unobserved = true
				w.backfill()
				w.Settle()
				began := w.Clock.Now()
				hour := func() {
					if err := w.Ledger.SetPause(t.Context(), w.Clock.Now().Add(time.Hour+time.Minute), why); err != nil {
						t.Fatal(err)
					}
					w.Clock.Advance(time.Hour)
					w.Crawl()
				}
				hour()
				if p := w.project(); p.UnseenSince.IsZero() == noticed || p.UnseenSince.After(began.Add(time.Hour+time.Second)) {
					t.Errorf("out of sight since %v", p.UnseenSince)
				}
				for range 25 {
					hour()
				}
				if p := w.project(); p.HiddenAt.IsZero() == noticed || (w.why(issue(7)) != "") != noticed {
					t.Errorf("after a day %+v, issue 7 is concealed as %q", p, w.why(issue(7)))
				}
				w.Clock.Advance(2 * time.Minute)
				w.hours(2)
				if p := w.project(); !p.UnseenSince.IsZero() || w.why(issue(7)) != "" {
					t.Errorf("the token is back: %+v, issue 7 is concealed as %q", p, w.why(issue(7)))
				}
			})
		})
	}
}
