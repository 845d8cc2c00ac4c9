package crawl_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
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

func TestCrawl_ForgetsAnIDThatNoProjectHas(t *testing.T) {
	const nobody = 999
	for name, request := range map[string]func(w *world) error{
		"a reconcile": func(w *world) error { _, err := w.Ledger.RequestReconcile(t.Context(), nobody); return err },
		"a hide":      func(w *world) error { return w.Ledger.HideProject(t.Context(), nobody, w.Clock.Now()) },
		"a backfill": func(w *world) error {
			id := surgical.NewPassID(nobody, surgical.PassBackfill, "by hand")
			_, err := w.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(nobody, id, id, w.Clock.Now()))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.Crawler().Listed = nil // every project is allowed
				if err := request(w); err != nil {
					t.Fatal(err)
				}
				for range 20 {
					w.cycle()
				}
				unseen := w.emitted(metrics.ProjectsUnseen().Name)
				for range 20 {
					w.cycle()
				}
				if now := w.emitted(metrics.ProjectsUnseen().Name); now != unseen || unseen == 0 {
					t.Errorf("%v metrics, and later %v", unseen, now)
				}
				p, err := w.Ledger.Project(t.Context(), nobody)
				if cycle, passErr := w.Ledger.Pass(t.Context(), nobody, surgical.PassReconcile); err != nil || passErr != nil || p.Known || cycle.Exists() {
					t.Errorf("%+v, %v, %+v, %v", p, err, cycle, passErr)
				}
				if b, err := w.Ledger.Pass(t.Context(), nobody, surgical.PassBackfill); err != nil || b.Exists() && b.Status != surgical.StatusFailed {
					t.Errorf("%+v, %v", b, err)
				}
			})
		})
	}
}

// ages are the greatest ages of a reconcile that each start of the crawler reported.
func (w *world) ages() (ages []time.Duration) {
	w.T.Helper()
	for _, v := range w.measured(metrics.ReconcileAge().Name) {
		ages = append(ages, time.Duration(v)*time.Millisecond)
	}
	return ages
}

func TestCrawl_ReportsThatAReconcileNeverEnds(t *testing.T) {
	for name, disturb := range map[string]func(w *world){
		"a list that fails":         func(w *world) { w.answering("/issues", faults.InternalError) },
		"a list that is refused":    func(w *world) { w.answering("/issues", faults.Forbidden) },
		"a rate limit used up":      func(w *world) { w.answering("/projects/", faults.RateLimited) },
		"the reserve, all the time": func(w *world) { w.GitLab.SetBudget(1, 24*time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.cycle()
				for range 3 {
					w.cycle()
				}
				if got := w.ages(); len(got) > 0 {
					t.Errorf("undisturbed, the ages are %s", got)
				}
				disturb(w)
				for range 12 {
					w.Clock.Advance(2 * surgical.ReconcileInterval)
					w.Crawl()
				}
				if ages := w.ages(); ages[len(ages)-1] < time.Hour+30*time.Minute {
					t.Errorf("after two hours, the age is %s", ages[len(ages)-1])
				}
			})
		})
	}
}

func TestCrawl_KeepsAProjectThatTheAllowListNames(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Crawler().Listed = []int64{999}
		for range 20 {
			w.cycle()
		}
		if p, err := w.Ledger.Project(t.Context(), 999); err != nil || p.UnseenSince.IsZero() {
			t.Errorf("%+v, %v", p, err)
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

// Of an outage so short that the crawler asks for nothing in this time, only the runs of
// the backfill know.
func TestBackfill_FetchesWhatFailedInAShortOutageOnceMore(t *testing.T) {
	for _, kind := range []faults.Kind{faults.NotFound, faults.Forbidden} {
		for name, later := range map[string]time.Duration{"before the backfill ends": 0, "after that": time.Hour} {
			t.Run(fmt.Sprint(kind, " ", name), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.Unobserved = true
					w.Clock.Advance(24 * time.Hour)
					w.backfill()
					w.Crawl()
					around := w.Around
					w.answering("/projects/", kind)
					w.settleRuns()
					w.Around = around
					if p := w.project(); p.UnseenSince.IsZero() {
						t.Fatal("no run recorded that GitLab does not show the project")
					}
					w.Clock.Advance(later)
					for range 3 {
						w.cycle()
					}
					if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Failed != 0 || p.Counts.Done != 4 {
						t.Errorf("the backfill is %+v", p)
					}
					w.current(issue(7), issue(8), issue(9), fakegitlab.MergeRequestRef(12))
				})
			})
		}
	}
}

func TestReconcile_GivesNothingUpWhileTheProjectIsOutOfSight(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.backfill()
		w.Settle()
		w.Clock.Advance(time.Hour)
		w.add(70)
		w.Crawl()
		w.GitLab.HideProject(fakegitlab.ProjectID, true)
		w.settleRuns()
		for range 3 * surgical.ReconcileTries {
			w.Clock.Advance(surgical.ReconcileInterval)
			w.Crawl()
			w.settleRuns()
		}
		w.GitLab.HideProject(fakegitlab.ProjectID, false)
		for range 2 {
			w.cycle()
		}
		w.current(issue(70))
		if p := w.project(); len(p.CompleteExcept) > 0 || p.CompleteAsOf.Before(w.Clock.Now().Add(-surgical.ReconcileInterval-surgical.ReconcileOverlap)) {
			t.Errorf("%+v", p)
		}
		fetched := 0
		for _, run := range w.Runs() {
			if run.Origin == surgical.OriginReconcile {
				fetched++
			}
		}
		if fetched != 2 {
			t.Errorf("%d runs, want one before it was out of sight and one after", fetched)
		}
	})
}

// It does not go round in circles if every invocation gets only as far as one window.
func TestBackfill_RetriesEachOfManyFailuresOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		const n = surgical.MaxWindow + 5
		for iid := int64(100); iid < 100+n; iid++ {
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().Add(-time.Hour)}))
		}
		w.answering("/issues/", faults.Forbidden)
		id := w.backfill()
		w.Settle()
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusFailed || p.Counts.Failed != n+3 {
			t.Fatalf("the backfill is %+v", p)
		}
		before, around, windows := len(w.Runs()), w.Around, 0
		w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if in, ok := call.Input.(*dynamodb.TransactWriteItemsInput); ok && in.TransactItems[len(in.TransactItems)-1].Delete != nil {
				if windows++; windows%2 == 0 {
					return faults.ServerError.Do(ctx, call, send)
				}
			}
			return around(ctx, call, send)
		}
		resume := func(p surgical.Pass) (surgical.Pass, bool) { return p.Resume(w.Clock.Now()) }
		if _, err := w.Ledger.ChangePass(t.Context(), fakegitlab.ProjectID, id, resume); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			w.Clock.Advance(time.Minute)
			w.Crawl()
			w.settleRuns()
		}
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusFailed || p.Counts.Failed != n+3 || len(w.Runs())-before != n+3 || windows < 2 {
			t.Errorf("%d runs more, the backfill is %+v", len(w.Runs())-before, p)
		}
	})
}

// Its first two runs were refused for another reason, and its third one because GitLab did
// not show the project.
func TestReconcile_DoesNotGiveUpForARunOfWhileTheProjectWasOutOfSight(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.backfill()
		w.Settle()
		w.Clock.Advance(time.Hour)
		around := w.Around
		w.answering("/issues/70", faults.Forbidden)
		w.add(70)
		for range surgical.ReconcileTries - 1 {
			w.Clock.Advance(surgical.ReconcileInterval)
			w.Crawl()
			w.settleRuns()
		}
		w.Clock.Advance(surgical.ReconcileInterval)
		w.Crawl()
		w.GitLab.HideProject(fakegitlab.ProjectID, true)
		w.settleRuns()
		w.Around = around
		w.Clock.Advance(surgical.ReconcileInterval)
		w.Crawl()
		if p := w.pass(surgical.PassReconcile); p.Outstanding != 1 || len(p.GivenUp) > 0 {
			t.Fatalf("out of sight, the cycle is %+v", p)
		}
		w.GitLab.HideProject(fakegitlab.ProjectID, false)
		for range 3 {
			w.cycle()
		}
		w.current(issue(70))
		if p := w.pass(surgical.PassReconcile); len(p.GivenUp) > 0 {
			t.Errorf("the cycle is %+v", p)
		}
	})
}

// A token may be allowed to read lists, but not the project: whether a project is out of
// sight is up to what GitLab says about the project itself.
func TestBackfill_EndsIfOnlyTheProjectItselfIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.Clock.Advance(24 * time.Hour)
		w.cycle() // GitLab shows it, for the last time
		around := w.Around
		w.answering("/issues/8", faults.Forbidden)
		inner := w.Around
		w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if req, ok := call.Input.(*http.Request); ok && strings.HasSuffix(req.URL.Path, "/projects/1") {
				return faults.Forbidden.Do(ctx, call, send)
			}
			return inner(ctx, call, send)
		}
		w.backfill()
		for range 20 {
			w.Clock.Advance(surgical.ReconcileInterval)
			w.Crawl()
			w.settleRuns()
		}
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusFailed || surgical.CodeOf(p.Error) != surgical.CodeGitLabForbidden || len(p.Legs) > 5 {
			t.Errorf("the backfill is %+v", p)
		}
		w.Around = around
		for range 3 {
			w.cycle()
		}
		w.current(issue(7), issue(8))
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded {
			t.Errorf("granted access, the backfill is %+v", p)
		}
	})
}
