package api_test

import (
	"net/http"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestStartBackfill_StartsOneAtATimeAndNamesTheOneThatRuns(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		handler := f.handler
		first := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"project":"1"}`, "Idempotency-Key", "a"), http.StatusAccepted)
		again := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"project":"1"}`, "Idempotency-Key", "a"), http.StatusAccepted)
		if first.ID != again.ID || first.Status != surgical.StatusRunning || first.ProjectID != 1 {
			t.Errorf("%+v, then %+v", first, again)
		}
		told := decode[problem.Problem](t, call(handler, "POST", "/v1/backfills", `{"project":"1"}`, "Idempotency-Key", "b"), http.StatusConflict)
		if told.Code != surgical.CodeConflict || told.Detail != "backfill "+first.ID+" of project 1 is running" {
			t.Errorf("%+v", told)
		}
		cancelled := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills/"+first.ID+"/cancel", ""), http.StatusOK)
		if cancelled.Status != surgical.StatusCancelled {
			t.Errorf("%+v", cancelled)
		}
		decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills/"+first.ID+"/cancel", ""), http.StatusOK)
		second := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"project":"1"}`, "Idempotency-Key", "b"), http.StatusAccepted)
		if second.ID == first.ID {
			t.Errorf("%+v", second)
		}
		gone := decode[problem.Problem](t, call(handler, "GET", "/v1/backfills/"+first.ID, ""), http.StatusNotFound)
		if gone.Code != surgical.CodeBackfillNotFound {
			t.Errorf("%+v", gone)
		}
	})
}

func TestStartBackfill_StartsNoneAgainByAKeyThatStartedOne(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		start := func(body, key string, status int) (answer struct{ ID, Detail string }) {
			t.Helper()
			return decode[struct{ ID, Detail string }](t, call(f.handler, "POST", "/v1/backfills", body, "Idempotency-Key", key), status)
		}
		var ids []string
		for _, key := range []string{"a", "b"} {
			b := start(`{"project":"1"}`, key, http.StatusAccepted)
			ids = append(ids, b.ID)
			decode[api.BackfillView](t, call(f.handler, "POST", "/v1/backfills/"+b.ID+"/cancel", ""), http.StatusOK)
		}
		if told := start(`{"project":"1"}`, "a", http.StatusConflict); !strings.Contains(told.Detail, ids[0]) {
			t.Errorf("%+v", told)
		}
		if again := start(`{"project":"1"}`, "b", http.StatusAccepted); again.ID != ids[1] {
			t.Errorf("%+v", again)
		}
		// A path that becomes known in the meantime changes nothing.
		first := start(`{"project":"demo/later"}`, "c", http.StatusAccepted)
		if err := f.Ledger.NameProject(t.Context(), 1, "demo/later", f.World.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		if again := start(`{"project":"demo/later"}`, "c", http.StatusAccepted); again.ID != first.ID {
			t.Errorf("%+v, then %+v", first, again)
		}
		if other := start(`{"project":"demo/later"}`, "d", http.StatusAccepted); other.ID[:2] != "1-" {
			t.Errorf("%+v", other)
		}
	})
}

func TestCancelBackfill_OfAGroupIsRememberedByTheBackfillThatIsStartedNext(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		group := decode[api.BackfillView](t, call(f.handler, "POST", "/v1/backfills", `{"group":"demo"}`), http.StatusAccepted)
		id := surgical.NewPassID(2, surgical.PassBackfill, group.ID)
		if _, err := f.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(2, id, group.ID, f.World.Clock.Now())); err != nil {
			t.Fatal(err)
		}
		for range 2 { // its own, and one that is started by itself
			decode[api.BackfillView](t, call(f.handler, "POST", "/v1/backfills/"+id+"/cancel", ""), http.StatusOK)
			if got := decode[api.BackfillView](t, call(f.handler, "GET", "/v1/backfills/"+group.ID, ""), http.StatusOK); got.Projects.Failed != 1 {
				t.Errorf("%+v", got.Projects)
			}
			id = decode[api.BackfillView](t, call(f.handler, "POST", "/v1/backfills", `{"project":"2"}`), http.StatusAccepted).ID
		}
	})
}

func TestStartBackfill_LeavesToTheCrawlerWhatOnlyGitLabKnows(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		handler := f.handler
		for body, want := range map[string]api.BackfillView{
			`{"project":"demo/unknown"}`: {Project: "demo/unknown"}, `{"group":"demo"}`: {Group: "demo"}, `{"all":true}`: {All: true},
		} {
			got := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", body), http.StatusAccepted)
			if got.Project != want.Project || got.Group != want.Group || got.All != want.All || got.Status != surgical.StatusRunning || got.Projects == nil {
				t.Errorf("%s: %+v", body, got)
			}
			read := decode[api.BackfillView](t, call(handler, "GET", "/v1/backfills/"+got.ID, ""), http.StatusOK)
			if read.ID != got.ID || read.Status != surgical.StatusRunning {
				t.Errorf("%s: %+v", body, read)
			}
		}
		decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"group":"demo"}`, "Idempotency-Key", "k"), http.StatusAccepted)
		other := decode[problem.Problem](t, call(handler, "POST", "/v1/backfills", `{"group":"other"}`, "Idempotency-Key", "k"), http.StatusConflict)
		if other.Code != surgical.CodeConflict {
			t.Errorf("%+v", other)
		}
		list := decode[api.BackfillList](t, call(handler, "GET", "/v1/backfills", ""), http.StatusOK)
		if len(list.Backfills) != 4 {
			t.Errorf("%d backfills", len(list.Backfills))
		}
	})
}

func TestCancelBackfill_OfAGroupLeavesWhatAnotherRequestWants(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		handler := f.handler
		group := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"group":"demo"}`), http.StatusAccepted)
		own := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"project":"1"}`), http.StatusAccepted)
		for _, id := range []int64{1, 2} { // as the crawler does for the projects of the group
			name := surgical.NewPassID(id, surgical.PassBackfill, group.ID)
			if _, err := f.Ledger.StartBackfill(t.Context(), surgical.NewBackfill(id, name, group.ID, f.World.Clock.Now())); err != nil {
				t.Fatal(err)
			}
		}
		decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills/"+group.ID+"/cancel", ""), http.StatusOK)
		for id, want := range map[int64]surgical.RunStatus{1: surgical.StatusRunning, 2: surgical.StatusCancelled} {
			p, err := f.Ledger.Pass(t.Context(), id, surgical.PassBackfill)
			if err != nil || p.Status != want {
				t.Errorf("project %d: %s, %v, want %s", id, p.Status, err, want)
			}
		}
		if p, _ := f.Ledger.Pass(t.Context(), 1, surgical.PassBackfill); p.ID != own.ID || p.Wants(group.ID) {
			t.Errorf("%+v", p)
		}
	})
}

func TestRetryBackfill_ResumesOnlyWhatIsLeft(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		handler := f.handler
		b := decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills", `{"project":"1"}`), http.StatusAccepted)
		retry := "/v1/backfills/" + b.ID + "/retry-failed"
		if running := decode[api.BackfillView](t, call(handler, "POST", retry, ""), http.StatusAccepted); running.Status != surgical.StatusRunning {
			t.Errorf("%+v", running)
		}
		decode[api.BackfillView](t, call(handler, "POST", "/v1/backfills/"+b.ID+"/cancel", ""), http.StatusOK)
		if resumed := decode[api.BackfillView](t, call(handler, "POST", retry, ""), http.StatusAccepted); resumed.Status != surgical.StatusRunning || resumed.Error != nil {
			t.Errorf("%+v", resumed)
		}
		done := func(p surgical.Pass) (surgical.Pass, bool) {
			p.Status, p.Leg = surgical.StatusSucceeded, len(p.Legs)
			return p, true
		}
		if _, err := f.Ledger.ChangePass(t.Context(), 1, b.ID, done); err != nil {
			t.Fatal(err)
		}
		if p := decode[problem.Problem](t, call(handler, "POST", retry, ""), http.StatusConflict); p.Code != surgical.CodeConflict {
			t.Errorf("%+v", p)
		}
	})
}

func TestRetryBackfill_StartsAnewWhatCannotBeContinued(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		b := decode[api.BackfillView](t, call(f.handler, "POST", "/v1/backfills", `{"project":"1"}`), http.StatusAccepted)
		outdated := func(p surgical.Pass) (surgical.Pass, bool) { return p.Outdated(0), true }
		if _, err := f.Ledger.ChangePass(t.Context(), 1, b.ID, outdated); err != nil {
			t.Fatal(err)
		}
		again := decode[api.BackfillView](t, call(f.handler, "POST", "/v1/backfills/"+b.ID+"/retry-failed", ""), http.StatusAccepted)
		p, err := f.Ledger.Pass(t.Context(), 1, surgical.PassBackfill)
		if err != nil || again.ID == b.ID || again.ID != p.ID || again.Status != surgical.StatusRunning || !p.Continues() || p.Leg != 0 {
			t.Errorf("%+v, %+v, %v", again, p, err)
		}
	})
}

func TestStartReconcile_MakesTheNextOneDue(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		handler := f.handler
		queued := decode[api.CycleList](t, call(handler, "POST", "/v1/reconciles", `{"project":"1"}`), http.StatusAccepted)
		if len(queued.Reconciles) != 1 || queued.Reconciles[0].Status != surgical.StatusQueued || queued.Reconciles[0].ProjectID != 1 {
			t.Errorf("%+v", queued)
		}
		now := f.World.Clock.Now()
		ended := surgical.Pass{ProjectID: 1, Kind: surgical.PassReconcile, ID: surgical.NewPassID(1, surgical.PassReconcile, "x"), Status: surgical.StatusSucceeded, StartedAt: now, FinishedAt: now, DueAt: now.Add(surgical.ReconcileInterval)}
		if _, err := f.Ledger.SavePass(t.Context(), ended, ledger.PassChange{}); err != nil {
			t.Fatal(err)
		}
		all := decode[api.CycleList](t, call(handler, "POST", "/v1/reconciles", `{"all":true}`), http.StatusAccepted)
		p, err := f.Ledger.Pass(t.Context(), 1, surgical.PassReconcile)
		if err != nil || len(all.Reconciles) != 1 || all.Reconciles[0].Status != surgical.StatusQueued || p.DueAt.After(f.World.Clock.Now()) {
			t.Errorf("%+v, %+v, %v", all, p, err)
		}
	})
}
