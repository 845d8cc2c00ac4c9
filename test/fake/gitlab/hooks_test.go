package gitlab_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestHooksNeverShowTheirTokens(t *testing.T) {
	for _, unsigned := range []bool{false, true} {
		s := fakegitlab.New(fakegitlab.Options{Unsigned: unsigned})
		send := func(method, path, body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(method, "/api/v4/projects/demo%2Florehook-demo/hooks"+path, strings.NewReader(body)))
			return w
		}
		added := send(http.MethodPost, "", `{"url":"https://example.com","token":"secret-x","signing_token":"whsec_x","note_events":true}`)
		if added.Code != http.StatusCreated || strings.Contains(added.Body.String(), "_x") || strings.Contains(added.Body.String(), "-x") {
			t.Errorf("%d: %s", added.Code, added.Body)
		}
		if h := s.Hooks(1); len(h) != 1 || h[0].SigningTokenPresent == unsigned || !h[0].TokenPresent || !h[0].NoteEvents {
			t.Errorf("unsigned %v: %+v", unsigned, h)
		}
		if w := send(http.MethodPost, "", `{"token":"x"}`); w.Code != http.StatusBadRequest {
			t.Errorf("without a URL: %d", w.Code)
		}
		if w := send(http.MethodDelete, "/1", ""); w.Code != http.StatusNotFound {
			t.Errorf("an unknown hook: %d", w.Code)
		}
	}
}
