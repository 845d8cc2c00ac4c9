package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestDrain_IsStoredAndSaysHowMuchIsUndone(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.undone(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)))
		for body, want := range map[string]api.DrainView{`{}`: {Undone: 2}, `{"project_id":1}`: {ProjectID: 1, Undone: 2}, `{"project_id":2}`: {ProjectID: 2}} {
			got := decode[api.DrainView](f.T, f.post("/v1/drains", body), http.StatusAccepted)
			at, err := f.Ledger.DrainRequestedAt(f.Context(), want.ProjectID)
			if err != nil || !got.RequestedAt.Equal(at) || got.ProjectID != want.ProjectID || got.Undone != want.Undone || !got.StartsBy.Equal(at.Add(2*time.Minute)) {
				t.Errorf("%s: %+v, stored %v, %v", body, got, at, err)
			}
		}
	})
}

func TestDrain_RejectsWhatItDoesNotUnderstand(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		for body, c := range map[string]struct {
			status int
			code   surgical.Code
			says   string
		}{
			``:                                {400, surgical.CodeInvalidRequest, ""},
			`{"project_id":0}`:                {422, surgical.CodeInvalidRequest, "project_id"},
			`{"project_id":-1}`:               {422, surgical.CodeInvalidRequest, "project_id"},
			`{"project_id":null}`:             {422, surgical.CodeInvalidRequest, "project_id"},
			`{"Project_id":1}`:                {422, surgical.CodeInvalidRequest, "Project_id"},
			`{"project":1}`:                   {422, surgical.CodeInvalidRequest, "project"},
			`{"project_id":1,"project_id":2}`: {422, surgical.CodeInvalidRequest, "named twice"},
			`{"project_id":"group/project"}`:  {422, surgical.CodeInvalidRequest, "project_id"},
			`{"project_id":99}`:               {403, surgical.CodeProjectNotAllowed, "99"},
			`{"x":"` + strings.Repeat("x", 65<<10) + `"}`: {413, surgical.CodePayloadTooLarge, ""},
		} {
			p := problemIn(t, f.post("/v1/drains", body), c.status)
			if p.Code != c.code || !strings.Contains(p.Detail, c.says) {
				t.Errorf("%.40s: %s, %s", body, p.Code, p.Detail)
			}
		}
		for _, project := range []int64{0, 1, 99} {
			if at, err := f.Ledger.DrainRequestedAt(f.Context(), project); err != nil || !at.IsZero() {
				t.Errorf("project %d: a rejected request was stored at %v, %v", project, at, err)
			}
		}
	})
}
