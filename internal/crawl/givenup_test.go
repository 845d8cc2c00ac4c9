package crawl_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

func TestReconcile_NamesWhatItGivesUpInsteadOfCallingTheCopyComplete(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.add(103)
		w.add(104)
		w.backfill()
		w.Settle()
		w.cycle()
		w.Clock.Advance(time.Hour)
		refused, around := true, w.Around
		w.answering("/issues/103", faults.Forbidden)
		refusing := w.Around
		w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if refused {
				return refusing(ctx, call, send)
			}
			return around(ctx, call, send)
		}
		changed := w.Clock.Now()
		w.GitLab.AddDiscussion(issue(103), fakegitlab.Note{Body: "Nobody announces this."})
		w.answering404(issue(200)) // as good as deleted while it was listed
		w.add(200)
		named := false
		for cycle := range 8 {
			w.cycle()
			p := w.project()
			named = slices.Contains(p.CompleteExcept, issue(103).Target)
			if p.CompleteAsOf.After(changed) && !named {
				t.Errorf("cycle %d: complete as of %s, after the change at %s, but for %v", cycle, p.CompleteAsOf, changed, p.CompleteExcept)
			}
		}
		if p := w.project(); !named || len(p.CompleteExcept) != 1 || !p.CompleteAsOf.After(changed) {
			t.Errorf("in the end complete as of %s but for %v", p.CompleteAsOf, p.CompleteExcept)
		}
		refused = false
		w.Webhook(issue(103))
		w.settleRuns()
		w.cycle()
		w.current(issue(103))
		if p := w.project(); len(p.CompleteExcept) != 0 || len(w.pass(surgical.PassReconcile).GivenUp) != 0 {
			t.Errorf("fetched: complete but for %v", p.CompleteExcept)
		}
	})
}
