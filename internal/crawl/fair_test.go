package crawl_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// slow makes every request to GitLab whose path contains the text take so long, or fail
// once the crawler's time is up.
func (w *world) slow(path string, takes time.Duration) {
	around := w.Around
	w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if req, ok := call.Input.(*http.Request); ok && strings.Contains(req.URL.Path, path) {
			if err := duration.Wait(ctx, takes); err != nil {
				return err
			}
		}
		return around(ctx, call, send)
	}
}

func TestCrawl_AdvancesEveryPassThatIsDue(t *testing.T) {
	inWorld(t, func(w *world) {
		const projects = 30
		w.Crawler().Listed = nil
		var ids []int64
		for i := range int64(projects) {
			id := 100 + i
			ids = append(ids, id)
			w.GitLab.AddProject(id, fmt.Sprint("demo/p", id))
			pass := surgical.NewPassID(id, surgical.PassBackfill, "all")
			if _, err := w.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(id, pass, pass, w.Clock.Now())); err != nil {
				t.Fatal(err)
			}
		}
		// The first steps of the backfill and the reconcile of a project take three requests,
		// all of their steps seven. In one invocation there is time for 35.
		w.slow("/projects/", time.Second)
		passes := func() (pages []int64) {
			for _, id := range ids {
				p, err := w.Ledger.Pass(t.Context(), id, surgical.PassBackfill)
				if err != nil {
					t.Fatal(err)
				}
				pages = append(pages, p.Counts.Pages)
			}
			return pages
		}
		for range 3 {
			w.Crawl()
			w.Clock.Advance(surgical.CrawlInterval)
		}
		if pages := passes(); slices.Contains(pages, 0) {
			t.Errorf("after three invocations, the passes have read %v pages", pages)
		}
		for range 6 {
			w.Crawl()
			w.Clock.Advance(surgical.CrawlInterval)
		}
		if pages := passes(); slices.Min(pages) < 4 {
			t.Errorf("after nine invocations, the passes have read %v pages", pages)
		}
	})
}

func TestCrawl_ReadsListsAlthoughHooksTakeAllTheirTime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cycle() // finds out the path
		w.slow("/hooks", time.Hour)
		w.Clock.Advance(surgical.HookCheckInterval)
		lists := w.lists
		w.Crawl()
		if p := w.pass(surgical.PassReconcile); w.lists == lists || !p.Listed() {
			t.Errorf("%d lists were read, the cycle is %+v", w.lists-lists, p)
		}
	})
}

// looking lets an invocation look again, and returns the pauses in between. Each is
// called in them.
func (w *world) looking(each func()) *[]time.Duration {
	var pauses []time.Duration
	w.Crawler().Pause = func(ctx context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		w.Clock.Advance(d)
		each()
		return duration.Wait(ctx, d)
	}
	return &pauses
}

func TestCrawl_EndsASmallBackfillInOneInvocation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.add(100)
		w.Clock.Advance(time.Hour)
		w.backfill()
		pauses := w.looking(w.settleRuns)
		w.Crawl()
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Done != 5 {
			t.Errorf("the backfill is %+v", p)
		}
		if len(*pauses) != 1 {
			t.Errorf("pauses %v", *pauses)
		}
		w.current(issue(7), issue(100), fakegitlab.MergeRequestRef(12))
	})
}

func TestCrawl_LooksAgainWithinItsTimeForWhatIsAwaited(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(w *world)
		want  []time.Duration
	}{
		"a backfill whose runs do not end": {func(w *world) { w.backfill() }, []time.Duration{4 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second, 8 * time.Second}},
		"nothing":                          {func(w *world) { w.settleRuns() }, nil},
		"a census": {func(w *world) {
			w.Crawls = false
			for _, ref := range []surgical.EntityRef{issue(7), issue(8)} {
				w.Webhook(ref)
			}
			w.Settle()
			w.Crawler().Census = time.Hour
			w.Crawl()
			w.Clock.Advance(time.Hour)
			w.Crawl()
			w.Clock.Advance(time.Minute)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.cycle()
				c.begin(w)
				pauses := w.looking(func() {})
				w.Crawl()
				if !slices.Equal(*pauses, c.want) {
					t.Errorf("pauses %v, want %v", *pauses, c.want)
				}
				if name == "a census" && w.pass(surgical.PassCensus).Outstanding == 0 {
					t.Errorf("the census is %+v", w.pass(surgical.PassCensus))
				}
			})
		})
	}
}

func TestCrawl_FindsARequestWhileItLooksAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.GitLab.AddProject(2, "demo/two")
		w.backfill()
		pauses := w.looking(func() {
			id := surgical.NewPassID(2, surgical.PassBackfill, "meanwhile")
			if _, err := w.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(2, id, id, w.Clock.Now())); err != nil {
				t.Fatal(err)
			}
		})
		w.Crawl()
		p, err := w.Ledger.Pass(t.Context(), 2, surgical.PassBackfill)
		if err != nil || p.Counts.Pages == 0 {
			t.Errorf("after the pauses %v, the other backfill is %+v, %v", *pauses, p, err)
		}
	})
}
