package crawl_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// disturb makes requests for lists and for the project itself fail as long as it is not
// "".
func (w *world) disturb(kind *faults.Kind) {
	around := w.Around
	w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
		req, ok := call.Input.(*http.Request)
		if !ok || *kind == "" || strings.Contains(req.URL.Path, "/issues/") || strings.Contains(req.URL.Path, "/merge_requests/") {
			return around(ctx, call, send)
		}
		return kind.Do(ctx, call, send)
	}
}

func TestBackfill_WaitsOrFailsWithATypedErrorAndGoesOnWithNothingLost(t *testing.T) {
	for kind, want := range map[faults.Kind]struct {
		code   surgical.Code
		status surgical.RunStatus
	}{
		faults.NotFound:          {surgical.CodeGitLabNotFound, surgical.StatusFailed}, // the project vanished
		faults.Forbidden:         {surgical.CodeGitLabForbidden, surgical.StatusFailed},
		faults.TokenForbidden:    {surgical.CodeGitLabUnauthorized, surgical.StatusRunning}, // a token without scope
		faults.Unauthorized:      {surgical.CodeGitLabUnauthorized, surgical.StatusRunning},
		faults.ForeignNotFound:   {surgical.CodeGitLabUnavailable, surgical.StatusRunning},
		faults.TruncatedBody:     {surgical.CodeGitLabUnavailable, surgical.StatusRunning},
		faults.InternalError:     {surgical.CodeGitLabUnavailable, surgical.StatusRunning},
		faults.RateLimitedSilent: {surgical.CodeGitLabRateLimited, surgical.StatusRunning},
	} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.Unobserved = true
				for iid := int64(100); iid < 130; iid++ {
					w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().AddDate(0, 0, -int(iid))}))
				}
				none := faults.Kind("")
				failing := &none
				w.disturb(failing)
				id := w.backfill()
				w.Crawl() // all lists, but for what changed since
				before := w.pass(surgical.PassBackfill)
				*failing = kind
				w.settleRuns()
				for range 6 {
					w.Clock.Advance(surgical.MaxResume)
					w.Crawl()
				}
				p := w.pass(surgical.PassBackfill)
				if p.Error == nil {
					t.Fatalf("it does not say why it waits: %+v", p)
				}
				if p.Error.Code != want.code || p.Status != want.status || p.Leg != before.Leg {
					t.Errorf("%s at leg %d, %v; want %s, %s at leg %d", p.Status, p.Leg, p.Error, want.status, want.code, before.Leg)
				}
				w.current(issue(100), issue(129)) // nothing was deleted
				*failing = ""
				resume := func(p surgical.Pass) (surgical.Pass, bool) { return p.Resume(w.Clock.Now()) }
				if _, err := w.Ledger.ChangePass(w.T.Context(), fakegitlab.ProjectID, id, resume); err != nil {
					t.Fatal(err)
				}
				w.Settle()
				if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Done != 34 {
					t.Errorf("resumed: %+v", p)
				}
			})
		})
	}
}

func TestBackfill_WithACheckpointOfAnotherVersionLosesNothingAndStartsAnew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		for iid := int64(100); iid < 250; iid++ {
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "", fakegitlab.Time{Time: w.Clock.Now().AddDate(0, 0, -int(iid))}))
		}
		id := w.backfill()
		w.Crawl()
		outdated := func(p surgical.Pass) (surgical.Pass, bool) { return p.Outdated(0), true }
		old, err := w.Ledger.ChangePass(w.T.Context(), fakegitlab.ProjectID, id, outdated)
		if err != nil || surgical.CodeOf(old.Error) != surgical.CodeCheckpointOutdated {
			t.Fatal(old, err)
		}
		w.Settle()
		w.current(issue(100), issue(249)) // what was queued is not lost
		if p := w.pass(surgical.PassBackfill); p.ID != id || p.Status != surgical.StatusFailed {
			t.Errorf("it was continued: %+v", p)
		}
		w.GitLab.AddDiscussion(issue(120), fakegitlab.Note{Body: "Without a webhook."})
		if _, err := w.Ledger.StartBackfill(w.T.Context(), old.Anew(w.Clock.Now())); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		if p := w.pass(surgical.PassBackfill); p.ID == id || p.Status != surgical.StatusSucceeded || p.Counts.Listed < 154 {
			t.Errorf("started anew: %+v", p)
		}
		w.current(issue(120), fakegitlab.MergeRequestRef(12))
	})
}

func TestBackfillRequest_FailsIfGitLabDoesNotShowTheGroup(t *testing.T) {
	inWorld(t, func(w *world) {
		for id, scope := range map[string]surgical.BackfillScope{
			"group": {Group: "nobody"}, "project": {Project: "nobody/nothing"},
		} {
			r := surgical.BackfillRequest{ID: surgical.NewPassID(0, surgical.PassBackfill, id), Scope: scope, Status: surgical.StatusRunning, CreatedAt: w.Clock.Now()}
			if _, err := w.Ledger.SaveBackfillRequest(w.T.Context(), r); err != nil {
				t.Fatal(err)
			}
			for try := range int64(surgical.NotFoundTries) {
				if now, err := w.Ledger.BackfillRequest(w.T.Context(), r.ID); err != nil || now.Status != surgical.StatusRunning || now.Tries != try {
					t.Errorf("%s, before try %d: %+v, %v", scope, try, now, err)
				}
				w.Clock.Advance(surgical.MaxResume)
				w.Crawl()
			}
			r, err := w.Ledger.BackfillRequest(w.T.Context(), r.ID)
			if err != nil || r.Status != surgical.StatusFailed || surgical.CodeOf(r.Error) != surgical.CodeGitLabNotFound {
				t.Errorf("%s: %+v, %v", scope, r, err)
			}
		}
	})
}

// requested stores a request for backfills, and returns it as it ended.
func (w *world) requested(scope surgical.BackfillScope) surgical.BackfillRequest {
	w.T.Helper()
	r := surgical.BackfillRequest{ID: surgical.NewPassID(0, surgical.PassBackfill, w.NewKey("request")), Scope: scope, Status: surgical.StatusRunning, CreatedAt: w.Clock.Now()}
	if _, err := w.Ledger.SaveBackfillRequest(w.T.Context(), r); err != nil {
		w.T.Fatal(err)
	}
	for range 10 {
		w.Clock.Advance(surgical.MaxResume)
		w.Crawl()
		w.settleRuns()
	}
	r, err := w.Ledger.BackfillRequest(w.T.Context(), r.ID)
	if err != nil {
		w.T.Fatal(err)
	}
	return r
}

func TestBackfillRequest_OfAllSaysWhatGitLabDoesNotShow(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.Crawler().Listed = []int64{fakegitlab.ProjectID, 2}
		r := w.requested(surgical.BackfillScope{All: true})
		if r.Status != surgical.StatusFailed || surgical.CodeOf(r.Error) != surgical.CodeBackfillIncomplete {
			t.Errorf("%+v", r)
		}
		two, err := w.Ledger.Pass(t.Context(), 2, surgical.PassBackfill)
		if err != nil || two.Status != surgical.StatusFailed || surgical.CodeOf(two.Error) != surgical.CodeGitLabNotFound {
			t.Errorf("%+v, %v", two, err)
		}
		if one := w.pass(surgical.PassBackfill); one.Status != surgical.StatusSucceeded || !one.Wants(r.ID) {
			t.Errorf("%+v", one)
		}
	})
}

func TestBackfillRequest_SucceedsOnceItsBackfillsHaveGoneOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.Clock.Advance(24 * time.Hour)
		around := w.Around
		w.answering("/projects/1", faults.NotFound)
		r := w.requested(surgical.BackfillScope{Group: "demo"})
		if r.Status != surgical.StatusFailed || surgical.CodeOf(r.Error) != surgical.CodeBackfillIncomplete || w.project().UnseenSince.IsZero() {
			t.Fatalf("%+v", r)
		}
		w.Around = around
		for range 3 {
			w.cycle()
		}
		r, err := w.Ledger.BackfillRequest(t.Context(), r.ID)
		if err != nil || r.Status != surgical.StatusSucceeded || r.Error != nil {
			t.Errorf("%+v, %v", r, err)
		}
		w.current(issue(7), issue(8), fakegitlab.MergeRequestRef(12))
	})
}

func TestBackfillRequest_FailsIfThereIsNothingToCopy(t *testing.T) {
	inWorld(t, func(w *world) {
		w.GitLab.AddProject(2, "empty/moved")
		w.GitLab.AddProject(2, "demo/moved")
		if r := w.requested(surgical.BackfillScope{Group: "empty"}); r.Status != surgical.StatusFailed || surgical.CodeOf(r.Error) != surgical.CodeGitLabNotFound || r.Tries != 0 {
			t.Errorf("%+v", r)
		}
	})
}
