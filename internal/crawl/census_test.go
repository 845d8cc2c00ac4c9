package crawl_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/sample"
)

// copied makes issues, and backfills the project.
func (w *world) copied(issues int) {
	w.T.Helper()
	for i := range int64(issues) {
		w.add(100 + i)
	}
	w.Clock.Advance(time.Hour)
	w.backfill()
	w.Settle()
	if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded {
		w.T.Fatalf("the backfill is %+v", p)
	}
}

// census lets a census begin and end. The crawler starts every minute; each is called
// after it, and before the runs.
func (w *world) census(budget time.Duration, each func()) surgical.Pass {
	w.T.Helper()
	w.Crawler().Census = budget
	last := w.pass(surgical.PassCensus).ID
	for range 3 * budget / time.Minute {
		w.Clock.Advance(time.Minute)
		w.Crawl()
		each()
		w.settleRuns()
		if p := w.pass(surgical.PassCensus); p.ID != last && len(p.Legs) > 0 && p.Status != surgical.StatusRunning {
			w.Crawler().Census = 0
			return p
		}
	}
	w.T.Fatalf("the census does not end: %+v", w.pass(surgical.PassCensus))
	return surgical.Pass{}
}

// silently changes the entity without moving its updated_at.
func (w *world) silently(ref surgical.EntityRef, change func()) {
	at := w.GitLab.UpdatedAt(ref)
	change()
	w.GitLab.Redate(ref, at)
}

func nothing() {}

func TestCensus_FindsWhatNothingAnnouncesAndReportsItByKind(t *testing.T) {
	inWorld(t, func(w *world) {
		w.copied(5)
		mr := fakegitlab.MergeRequestRef(12)
		note := w.GitLab.Discussions(issue(100))[0].Notes[0].ID
		w.GitLab.DeleteNote(issue(100), note)
		w.GitLab.RenameLabel("security", "vulnerability")     // issue 9
		w.GitLab.RenameMilestone("4.2 Faster exports", "4.2") // issues 7 and 8, merge request 12
		w.GitLab.RenameUser("tomas.reyk", "tomas.r")          // the same, and issue 9
		w.silently(mr, func() { w.GitLab.AddDiscussion(mr, fakegitlab.Note{Body: "approved this merge request", System: true}) })
		w.silently(issue(101), func() { w.GitLab.Edit(issue(101), func(c *fakegitlab.Common) { c.Title = "Lost within the minute" }) })
		w.GitLab.Delete(issue(102))
		w.cycle()
		p := w.census(2*time.Hour, nothing)
		want := map[surgical.Finding]int64{
			surgical.FoundDeletedNotes: 1, surgical.FoundLabels: 1, surgical.FoundMilestones: 3, surgical.FoundApprovals: 1,
			surgical.FoundUsers: 4,
			surgical.FoundOther: 1, surgical.FoundGone: 1,
		}
		if diff := cmp.Diff(want, p.Found); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		w.current(issue(7), issue(8), issue(9), issue(100), issue(101), mr)
		if p.Status != surgical.StatusSucceeded || p.Counts.Done != 8 || p.Counts.Failed != 1 {
			t.Errorf("the census is %+v", p)
		}
		project, err := w.Ledger.Project(t.Context(), fakegitlab.ProjectID)
		if err != nil || !maps.Equal(project.LastCensus.Found, p.Found) || project.LastCensus.Fetched != 8 || project.LastCensus.Listed != 8 {
			t.Errorf("the project is %+v, %v", project, err)
		}
		runs := len(w.Runs())
		again := w.census(2*time.Hour, nothing)
		if len(again.Found) > 1 || again.Found[surgical.FoundGone] > 1 || len(w.Runs()) > runs+9 {
			t.Errorf("the second census is %+v", again)
		}
	})
}

// An import can give what is new any date.
func TestCensus_FindsWhatIsDatedBackBeforeWhatReconcilesHaveSeen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.copied(2)
		w.cycle()
		w.Clock.Advance(48 * time.Hour)
		w.add(140)
		for range 4 {
			w.cycle() // the checkpoint follows what was seen
		}
		before := fakegitlab.Time{Time: w.Clock.Now().Add(-24 * time.Hour)}
		w.GitLab.SetIssue(fakegitlab.NewIssue(150, "Imported", "With the dates of another tracker.", before))
		w.GitLab.AddDiscussion(issue(100), fakegitlab.Note{Body: "Imported as well."})
		w.GitLab.Redate(issue(100), before.Time)
		for range 3 {
			w.cycle()
		}
		if w.Untrue(issue(150)) == "" || w.Untrue(issue(100)) == "" {
			t.Error("a reconcile found it; say so in docs/reliability.md")
		}
		if p := w.census(2*time.Hour, nothing); p.Found[surgical.FoundMissing] != 1 {
			t.Errorf("the census found %v", p.Found)
		}
		w.current(issue(150), issue(100))
	})
}

func TestCensus_SpreadsACopyOfEverythingOverItsBudget(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.copied(96)
		before, requested, most := len(w.Runs()), map[int]int{}, 0
		budget := 100 * time.Minute
		began := w.Clock.Now().Add(budget) // the first one waits
		p := w.census(budget, func() {
			n := 0
			for _, run := range w.Runs() {
				if run.Origin == surgical.OriginCensus && run.Status == surgical.StatusQueued {
					n++
				}
			}
			most = max(most, n)
			requested[int(w.Clock.Now().Sub(began)/(budget/5))] += n
		})
		if p.Counts.Done != 100 || p.Counts.Different != 100 || len(w.Runs()) != before+100 {
			t.Errorf("%d runs, the census is %+v", len(w.Runs())-before, p)
		}
		if took := p.FinishedAt.Sub(p.StartedAt); took < budget*9/10 || took > budget+10*time.Minute {
			t.Errorf("it took %v of %v", took, budget)
		}
		if most > surgical.CensusStep {
			t.Errorf("%d runs at once", most)
		}
		for fifth := range 5 {
			if n := requested[fifth]; n < 10 || n > 30 {
				t.Errorf("%d runs in fifth %d: %v", n, fifth+1, requested)
			}
		}
	})
}

func TestCensus_LeavesCopiesAloneThatAreYoungerThanItself(t *testing.T) {
	inWorld(t, func(w *world) {
		w.copied(3)
		w.Crawler().Census = 2 * time.Hour
		w.Clock.Advance(time.Minute)
		w.Crawl()
		w.Clock.Advance(2 * time.Hour)
		w.Crawl() // it begins
		w.Clock.Advance(time.Minute)
		w.Webhook(issue(100))
		w.settleRuns()
		for w.pass(surgical.PassCensus).Status == surgical.StatusRunning {
			w.Clock.Advance(time.Minute)
			w.Crawl()
			w.settleRuns()
		}
		if p := w.pass(surgical.PassCensus); p.Counts.Done != 6 || p.Counts.Copies != 7 {
			t.Errorf("the census is %+v", p)
		}
	})
}

func TestCensus_CopiesWhatIsMissingOnlyAfterABackfill(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Webhook(issue(7))
		w.settleRuns()
		if p := w.census(time.Hour, nothing); p.Counts.Done != 1 || p.Counts.Listed != 0 {
			t.Errorf("without a backfill, the census is %+v", p)
		}
		w.copied(1)
		w.add(101)
		w.GitLab.Redate(issue(101), w.Clock.Now().Add(-24*time.Hour))
		w.Clock.Advance(2 * time.Hour)
		p := w.census(time.Hour, nothing)
		if p.Found[surgical.FoundMissing] != 1 {
			t.Errorf("the census is %+v", p)
		}
		w.current(issue(101))
	})
}

func TestCensus_WaitsForBackfillsAndForItsOwnRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.copied(60)
		w.Crawler().Census = time.Minute // as fast as it may
		w.Crawl()
		w.backfill() // its runs are never begun here
		w.add(200)
		for range 5 {
			w.Clock.Advance(time.Minute)
			w.Crawl()
		}
		if n := w.censusRuns(); n > 0 || w.pass(surgical.PassBackfill).Status != surgical.StatusRunning {
			t.Errorf("%d runs during a backfill %+v", n, w.pass(surgical.PassBackfill))
		}
		w.settleRuns()
		last := 0
		for range 6 {
			w.Clock.Advance(time.Minute)
			w.Crawl()
			if n := w.censusRuns(); n-last > surgical.MaxCensusRuns || n > surgical.MaxCensusRuns {
				t.Fatalf("%d runs, %d of them at once, although none has begun", n, n-last)
			}
			last = w.censusRuns()
		}
		if last == 0 {
			t.Error("no runs")
		}
	})
}

// censusRuns counts the runs that censuses requested.
func (w *world) censusRuns() (n int) {
	for _, run := range w.Runs() {
		if run.Origin == surgical.OriginCensus {
			n++
		}
	}
	return n
}

// counting lets a census as fast as it may be begin, and crawls some times more.
func (w *world) counting(crawls int) {
	w.Crawler().Census = time.Minute
	for range 2 + crawls {
		w.Clock.Advance(time.Minute)
		w.Crawl()
	}
}

func TestCensus_FetchesNothingWhileGitLabDoesNotShowTheProject(t *testing.T) {
	for name, copied := range map[string]func(w *world){
		"its lists come first": func(w *world) { w.copied(30) },
		"only copies are looked at, because it was not backfilled": func(w *world) {
			for iid := range int64(30) {
				w.add(100 + iid)
				w.Webhook(issue(100 + iid))
			}
			w.settleRuns()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				copied(w)
				w.GitLab.HideProject(fakegitlab.ProjectID, true)
				w.cycle()
				w.counting(5)
				if p := w.project(); p.UnseenSince.IsZero() || w.censusRuns() > 0 {
					t.Errorf("%d runs, the project is %+v", w.censusRuns(), p)
				}
				w.GitLab.HideProject(fakegitlab.ProjectID, false)
				w.cycle()
				w.counting(5)
				if w.censusRuns() == 0 {
					t.Errorf("no runs, the census is %+v", w.pass(surgical.PassCensus))
				}
			})
		})
	}
}

func TestCensus_DoesNotWaitForProjectsThatAreNotAllowed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.copied(1)
		w.Crawler().Allows = func(id int64) bool { return id == fakegitlab.ProjectID }
		id := surgical.NewPassID(2, surgical.PassBackfill, "of another project")
		if _, err := w.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(2, id, id, w.Clock.Now())); err != nil {
			t.Fatal(err)
		}
		w.counting(3)
		if w.censusRuns() == 0 {
			t.Errorf("no runs, the census is %+v", w.pass(surgical.PassCensus))
		}
	})
}

func TestCensus_SharesTheLimitOfRunsWithOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.copied(1)
		of := surgical.NewCensus(surgical.Pass{ProjectID: 2}, surgical.Project{}, w.Clock.Now())
		of.Outstanding = surgical.MaxOutstanding
		if _, err := w.Ledger.SavePass(t.Context(), of, ledger.PassChange{}); err != nil {
			t.Fatal(err)
		}
		w.counting(3)
		if n := w.censusRuns(); n > 0 {
			t.Errorf("%d runs", n)
		}
	})
}

// What the census did must not depend on where the crawler died. A death just before a
// write leaves the same state as one just after the write before.
func TestCensus_LosesAndRepeatsNothingWhereverTheCrawlerDies(t *testing.T) {
	type outcome struct {
		Found map[surgical.Finding]int64
		Runs  []string
	}
	play := func(t *testing.T, die int) (result outcome, writes int) {
		inWorld(t, func(w *world) {
			w.Unobserved = true
			w.copied(2)
			w.GitLab.DeleteNote(issue(100), w.GitLab.Discussions(issue(100))[0].Notes[0].ID)
			w.GitLab.Delete(issue(101))
			counting, around := true, w.Around
			w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
				p := cloud.ProcessOf(ctx)
				if !counting || p == nil || p.Function != "crawler" || !call.Writes() {
					return around(ctx, call, send)
				}
				if writes++; writes != die {
					return around(ctx, call, send)
				}
				p.Kill()
				return nil
			}
			p := w.census(10*time.Minute, nothing)
			counting = false
			result.Found = p.Found
			for _, run := range w.Runs() {
				if run.Origin == surgical.OriginCensus {
					result.Runs = append(result.Runs, fmt.Sprint(run.Targets, run.Status))
				}
			}
			slices.Sort(result.Runs)
			w.current(issue(100), issue(7))
			if p.Outstanding != 0 || p.Counts.Different != p.Counts.Done+p.Counts.Failed {
				w.T.Errorf("the census is %+v", p)
			}
		})
		return result, writes
	}
	want, writes := play(t, 0)
	if want.Found[surgical.FoundGone] != 1 || want.Found[surgical.FoundDeletedNotes] != 1 || writes < 10 {
		t.Fatalf("undisturbed: %+v with %d writes", want, writes)
	}
	step := sample.Of(1, 7)
	for die := 1; die <= writes; die += step {
		t.Run(fmt.Sprint(die), func(t *testing.T) {
			got, _ := play(t, die)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-undisturbed +got):\n%s", diff)
			}
		})
	}
	t.Logf("%d writes", writes)
}
