package gitlab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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

// hooked is a GitLab with one hook for issues and comments, whose receiver answers with
// the status.
type hooked struct {
	*fakegitlab.Server
	status   int
	received []*http.Request
	now      time.Time
}

func newHooked(t *testing.T, o fakegitlab.Options) *hooked {
	t.Helper()
	h := &hooked{status: http.StatusAccepted, now: time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC)}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.received = append(h.received, r)
		w.WriteHeader(h.status)
		fmt.Fprint(w, `{"run_id":"w1"}`)
	}))
	t.Cleanup(receiver.Close)
	o.Clock = func() time.Time { return h.now }
	h.Server = fakegitlab.New(o)
	h.call(t, "POST", "projects/1/hooks", fmt.Sprintf(`{"url":%q,"issues_events":true,"note_events":true,"signing_token":"whsec_c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxl"}`, receiver.URL), 201)
	return h
}

// call sends a request to the API and returns the body of the response.
func (h *hooked) call(t *testing.T, method, path, body string, status int) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/api/v4/"+path, strings.NewReader(body)))
	if w.Code != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	return w.Body.String()
}

func TestSendDeliversToTheHooksThatWantIt(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{})
	h.call(t, "POST", "groups/demo/hooks", `{"url":"http://127.0.0.1:1/","merge_requests_events":true}`, 201)
	for _, c := range []struct {
		send func() int
		want int
	}{
		{func() int { return h.Send(t.Context(), fakegitlab.IssueRef(7), false) }, 1},
		{func() int { return h.Send(t.Context(), fakegitlab.IssueRef(7), true) }, 1},
		{func() int { return h.Send(t.Context(), fakegitlab.IssueRef(9), false) }, 0}, // confidential
		{func() int { return h.Send(t.Context(), fakegitlab.MergeRequestRef(12), false) }, 1},
	} {
		if got := c.send(); got != c.want {
			t.Errorf("%d deliveries, want %d", got, c.want)
		}
	}
	if len(h.received) != 2 || h.received[0].Header.Get("webhook-signature") == "" || h.received[1].Header.Get("X-Gitlab-Event") != "Note Hook" {
		t.Fatalf("received %v", h.received)
	}
	log := h.HookEvents(1, h.Hooks(1)[0].ID)
	if len(log) != 2 || log[0].ResponseStatus != "202" || log[0].RequestHeaders["webhook-signature"] != "[REDACTED]" || log[0].Trigger != "note_hooks" {
		t.Errorf("log %+v", log)
	}
	if group := h.call(t, "GET", "groups/demo/hooks/"+fmt.Sprint(h.GroupHooks("demo")[0].ID)+"/events", "", 200); !strings.Contains(group, `"response_status":"internal error"`) {
		t.Errorf("the group's log %s", group)
	}
}

func TestAHookIsDisabledAfterFailures(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{AutoDisable: true})
	h.status = http.StatusBadGateway
	fail := func() int { return h.Send(t.Context(), fakegitlab.IssueRef(7), false) }
	for range 3 {
		fail()
	}
	if got := h.Hooks(1)[0]; got.AlertStatus != "executable" {
		t.Errorf("after three failures: %+v", got)
	}
	for n, wait := 4, time.Minute; n < 40; n, wait = n+1, min(2*wait, 24*time.Hour) {
		fail()
		got := h.Hooks(1)[0]
		if got.AlertStatus != "temporarily_disabled" || *got.DisabledUntil != h.now.Add(wait).Format(time.RFC3339) || fail() != 0 {
			t.Fatalf("after %d failures: %+v", n, got)
		}
		if h.now = h.now.Add(wait); h.Hooks(1)[0].AlertStatus != "executable" {
			t.Fatalf("after %d failures it is not enabled again", n)
		}
	}
	fail()
	if got := h.Hooks(1)[0]; got.AlertStatus != "disabled" || got.DisabledUntil != nil || fail() != 0 {
		t.Fatalf("after 40 failures: %+v", got)
	}
	h.status = http.StatusOK
	h.call(t, "POST", fmt.Sprintf("projects/1/hooks/%d/test/issues_events", h.Hooks(1)[0].ID), "", 201)
	if got := h.Hooks(1)[0]; got.AlertStatus != "executable" || fail() != 1 {
		t.Errorf("after a test that succeeded: %+v", got)
	}
}

func TestTheDeliveryLogIsListedAsGitLabDoes(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{})
	id := h.Hooks(1)[0].ID
	base := fmt.Sprintf("projects/1/hooks/%d/", id)
	for range 25 {
		h.Send(t.Context(), fakegitlab.IssueRef(7), false)
	}
	h.status = http.StatusBadGateway
	h.Send(t.Context(), fakegitlab.IssueRef(8), false)
	h.AddHookEvents(1, id, fakegitlab.HookEvent{Trigger: "issue_hooks", RequestData: json.RawMessage(`{}`), ResponseStatus: "internal error"})
	for query, want := range map[string]int{"": 20, "?per_page=100": 27, "?status=successful&per_page=100": 25, "?status=server_failure": 1, "?status=502": 1, "?status=client_failure": 0} {
		var events []fakegitlab.HookEvent
		if err := json.Unmarshal([]byte(h.call(t, "GET", base+"events"+query, "", 200)), &events); err != nil || len(events) != want {
			t.Errorf("%q: %d events, %v, want %d", query, len(events), err, want)
		}
	}
	h.call(t, "GET", base+"events?status=sad", "", 400)
	failed := h.HookEvents(1, id)[1]
	h.status = http.StatusOK
	h.call(t, "POST", fmt.Sprintf("%sevents/%d/resend", base, failed.ID), "", 201)
	if again := h.HookEvents(1, id)[0]; again.RequestHeaders["Idempotency-Key"] != failed.RequestHeaders["Idempotency-Key"] || again.ResponseStatus != "200" {
		t.Errorf("resent as %+v", again)
	}
	for range 4 {
		h.call(t, "POST", base+"test/note_events", "", 201)
	}
	h.call(t, "POST", base+"test/note_events", "", 429)
	h.now = h.now.Add(7 * 24 * time.Hour)
	if got := h.call(t, "GET", base+"events", "", 200); got != "[]" {
		t.Errorf("after a week the log has %s", got)
	}
	h.call(t, "POST", base+"test/telepathy_events", "", 400)
	old := newHooked(t, fakegitlab.Options{NoDeliveryLog: true})
	old.call(t, "GET", fmt.Sprintf("projects/1/hooks/%d/events", old.Hooks(1)[0].ID), "", 404)
}

func TestTheBudgetIsSpentAndComesBack(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{})
	h.SetBudget(2, time.Minute)
	header := func() http.Header {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/projects/1", nil))
		w.Header().Set("Status", fmt.Sprint(w.Code))
		return w.Header()
	}
	for _, want := range []string{"200 1", "200 0", "429 0"} {
		if got := header(); got.Get("Status")+" "+got.Get("RateLimit-Remaining") != want || got.Get("RateLimit-Limit") != "2" || got.Get("RateLimit-Reset") != fmt.Sprint(h.now.Add(time.Minute).Unix()) {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if got := header().Get("Retry-After"); got != "61" {
		t.Errorf("retry after %s", got)
	}
	h.now = h.now.Add(time.Minute)
	if got := header(); got.Get("Status") != "200" {
		t.Errorf("a minute later: %v", got)
	}
}

func TestWhatIsMovedAndDeletedIsShownAsGitLabDoes(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{})
	h.AddProject(2, "demo/two")
	ref := fakegitlab.IssueRef(7)
	note := h.Discussions(ref)[0].Notes[1]
	before := h.UpdatedAt(ref)
	h.DeleteNote(ref, note.ID)
	body := h.call(t, "GET", "projects/1/issues/7/discussions", "", 200)
	if strings.Contains(body, note.Body) || !h.UpdatedAt(ref).Equal(before) {
		t.Errorf("after the note was deleted: %s", body)
	}
	to := h.Move(ref, 2)
	if body := h.call(t, "GET", "projects/1/issues/7", "", 200); !strings.Contains(body, `"state":"closed"`) || strings.Contains(body, `"moved_to_id":null`) {
		t.Errorf("the old issue is %s", body)
	}
	if body := h.call(t, "GET", fmt.Sprintf("projects/2/issues/%d", to.IID), "", 200); !strings.Contains(body, `"moved_to_id":null`) || !strings.Contains(body, `"state":"opened"`) {
		t.Errorf("the new issue is %s", body)
	}
	h.Fill(2, 100, 12_000)
	if body := h.call(t, "GET", "projects/2/issues?per_page=100&page=120", "", 200); !strings.Contains(body, "Generated issue") {
		t.Errorf("page 120 is %.100s", body)
	}
}

func TestTheControlHandlesProjectsAndBudgets(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{Control: true})
	for _, c := range []struct {
		call   string
		status int
	}{
		{"project?project=2&path=demo/two", 200}, {"project?project=3", 400}, {"project?project=x", 400}, {"project?project=2&hidden=false", 200},
		{"move?project=1&type=issue&iid=8&to=2", 200}, {"move?project=1&type=issue&iid=7&to=9", 400}, {"move?project=1&type=merge_request&iid=12&to=2", 400},
		{"hide?project=1&type=issue&iid=7", 200}, {"hide?project=1&type=issue&iid=7&hidden=false", 200},
		{"confidential?project=1&type=issue&iid=7", 200}, {"confidential?project=1&type=merge_request&iid=12", 400},
		{"send?project=1&type=issue&iid=9&note=true", 200}, {"send?project=1&type=issue&iid=99", 400},
		{"fill?project=2&first=50&issues=10", 200}, {"fill?project=2&first=50&issues=0", 400},
		{fmt.Sprintf("delete_note?project=1&type=issue&iid=7&note=%d", h.Discussions(fakegitlab.IssueRef(7))[0].Notes[0].ID), 200},
		{"delete_note?project=1&type=issue&iid=7&note=1", 400},
		{"budget?requests=5&interval=1s", 200}, {"budget?requests=5&interval=x", 400}, {"budget?requests=-1", 400}, {"budget?requests=0", 200},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/_demo/"+c.call, nil))
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", c.call, w.Code, w.Body, c.status)
		}
	}
}
