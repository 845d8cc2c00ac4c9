package api_test

import (
	"net/http"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestErase_HidesRemovesAndListsTheEntity(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		const issue, path = "/v1/projects/1/issues/7", "/v1/projects/1/issues/7/erasure"
		f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7)))
		before := get[api.ErasureView](f, path)
		if !before.ErasedAt.IsZero() || before.Complete || before.Left.Parts == 0 || before.Left.Documents == 0 || before.Left.Embeddings == 0 || before.Found != nil {
			t.Errorf("before %+v", before)
		}
		get[api.EntityView](f, issue)
		for range 2 {
			done := decode[api.ErasureView](t, call(f.handler, http.MethodPost, path, ""), http.StatusOK)
			if *done.Left != (api.StoredItemsView{}) || done.ErasedAt.IsZero() || done.Complete || done.SettlesAt.Sub(done.ErasedAt) < surgical.EraseSettle || done.IndexedUntil.Sub(done.ErasedAt) != surgical.IndexForgets || done.RecoverableUntil.Sub(done.ErasedAt) != surgical.PointInTimeRecovery {
				t.Errorf("done %+v", done)
			}
		}
		if p := problemIn(t, call(f.handler, http.MethodGet, issue, ""), http.StatusNotFound); p.Code != surgical.CodeEntityNotFound {
			t.Errorf("it is read: %+v", p)
		}
		if list := get[api.EntityList](f, "/v1/projects/1/entities"); len(list.Entities) > 0 {
			t.Errorf("it is listed: %+v", list)
		}
		if why := get[api.WhyView](f, issue+"/why"); why.Hidden != surgical.Erased || why.ErasedAt.IsZero() {
			t.Errorf("%+v", why)
		}
		if p := problemIn(t, call(f.handler, http.MethodDelete, path, ""), http.StatusConflict); !p.Retryable || p.After == 0 {
			t.Errorf("lifted while it is removed: %+v", p)
		}
		for range 2 {
			f.Clock.Advance(surgical.EraseSettle)
			if _, err := f.Sweeper.Handle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		list := get[api.ErasureList](f, "/v1/erasures")
		if len(list.Erasures) != 1 || !list.Erasures[0].Complete || list.Erasures[0].IID != 7 || list.Erasures[0].Found != nil {
			t.Errorf("the list %+v", list)
		}
		for range 2 {
			if lifted := decode[api.ErasureView](t, call(f.handler, http.MethodDelete, path, ""), http.StatusOK); !lifted.ErasedAt.IsZero() {
				t.Errorf("lifted %+v", lifted)
			}
		}
		if list := get[api.ErasureList](f, "/v1/erasures"); len(list.Erasures) > 0 {
			t.Errorf("the list %+v", list)
		}
	})
}

func TestErase_RemovesWhatIsStoredOfAProjectThatIsNoLongerAllowed(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		const path = "/v1/projects/1/issues/7/erasure"
		f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7)))
		o := f.options()
		o.Allows = func(int64) bool { return false }
		f.handler = serve(t, o)
		if p := problemIn(t, call(f.handler, http.MethodGet, "/v1/projects/1/issues/7", ""), http.StatusForbidden); p.Code != surgical.CodeProjectNotAllowed {
			t.Errorf("it is read: %+v", p)
		}
		if before := get[api.ErasureView](f, path); before.Left.Parts == 0 {
			t.Errorf("before %+v", before)
		}
		if done := decode[api.ErasureView](t, call(f.handler, http.MethodPost, path, ""), http.StatusOK); *done.Left != (api.StoredItemsView{}) || done.Found.Parts == 0 {
			t.Errorf("done %+v", done)
		}
		if list := get[api.ErasureList](f, "/v1/erasures"); len(list.Erasures) != 1 {
			t.Errorf("the list %+v", list)
		}
	})
}

func TestErasures_AreListedInPages(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for _, path := range []string{"issues/7", "issues/8", "merge_requests/12"} {
			decode[api.ErasureView](t, call(f.handler, http.MethodPost, "/v1/projects/1/"+path+"/erasure", ""), http.StatusOK)
		}
		var iids []int64
		cursor := ""
		for range 3 {
			page := get[api.ErasureList](f, "/v1/erasures?limit=1"+cursor)
			for _, e := range page.Erasures {
				iids = append(iids, e.IID)
			}
			cursor = "&cursor=" + page.NextCursor
		}
		if len(iids) != 3 || iids[0] != 7 || iids[1] != 8 || iids[2] != 12 || cursor != "&cursor=" {
			t.Errorf("%v, then %q", iids, cursor)
		}
	})
}
