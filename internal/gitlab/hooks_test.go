package gitlab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const receiver = "https://lore.example.com/webhooks/gitlab"

// post sends a request to the fake's API.
func post(t *testing.T, server *fakegitlab.Server, path, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v4/"+path, strings.NewReader(body))
	r.Header.Set("PRIVATE-TOKEN", sampleToken)
	w := httptest.NewRecorder()
	if server.ServeHTTP(w, r); w.Code != http.StatusCreated {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

const completeHook = `{"url":"` + receiver + `","push_events":false,"issues_events":true,"confidential_issues_events":true,"merge_requests_events":true,
	"note_events":true,"confidential_note_events":true,"signing_token":"whsec_x"}`

func TestClientHooks_ListsThoseOfProjectsAndGroups(t *testing.T) {
	server, client := demo(t)
	post(t, server, "projects/1/hooks", completeHook)
	post(t, server, "projects/1/hooks", `{"url":"https://other.example.com/"}`)
	post(t, server, "groups/demo/hooks", completeHook)
	until := "2026-11-29T07:00:00Z"
	server.EditHook(1, server.Hooks(1)[1].ID, func(h *fakegitlab.Hook) { h.AlertStatus, h.DisabledUntil = "disabled", &until })
	page, err := client.Hooks(t.Context(), gitlab.Owner{Project: 1}, "")
	complete := gitlab.Hook{
		ID: server.Hooks(1)[0].ID, URL: receiver, Issues: true, ConfidentialIssues: true, MergeRequests: true, Notes: true, ConfidentialNotes: true,
		SigningToken: true, VerifiesTLS: true, AlertStatus: "executable",
	}
	other := gitlab.Hook{ID: server.Hooks(1)[1].ID, URL: "https://other.example.com/", Push: true, VerifiesTLS: true, AlertStatus: "disabled", DisabledUntil: time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)}
	for i := range page.Hooks {
		if page.Hooks[i].CreatedAt.IsZero() {
			t.Errorf("%+v does not say when it was made", page.Hooks[i])
		}
		page.Hooks[i].CreatedAt = time.Time{}
	}
	if diff := cmp.Diff([]gitlab.Hook{complete, other}, page.Hooks); diff != "" || err != nil || page.Next != "" || page.Requests != 1 {
		t.Errorf("%v, %+v, hooks (-want +got):\n%s", err, page.Answer, diff)
	}
	group, err := client.Hooks(t.Context(), gitlab.Owner{Group: "demo"}, "")
	complete.ID, complete.CreatedAt = server.GroupHooks("demo")[0].ID, group.Hooks[0].CreatedAt
	if diff := cmp.Diff([]gitlab.Hook{complete}, group.Hooks); diff != "" || err != nil {
		t.Errorf("%v, hooks of the group (-want +got):\n%s", err, diff)
	}
	for owner, code := range map[gitlab.Owner]surgical.Code{
		{Project: 2}: surgical.CodeGitLabNotFound, {Group: "none"}: surgical.CodeGitLabNotFound, {}: surgical.CodeInvalidRequest, {Group: "/x"}: surgical.CodeInvalidRequest, {Project: -1}: surgical.CodeInvalidRequest,
	} {
		if _, err := client.Hooks(t.Context(), owner, ""); surgical.CodeOf(err) != code {
			t.Errorf("%v: %v, want %s", owner, err, code)
		}
	}
	server.Inject(fakegitlab.Fault{Endpoint: "hooks", Status: 403, Requests: 1})
	if _, err := client.Hooks(t.Context(), gitlab.Owner{Project: 1}, ""); surgical.CodeOf(err) != surgical.CodeGitLabForbidden {
		t.Errorf("a developer: %v", err)
	}
}

func TestHookFindings_NamesWhatIsWrong(t *testing.T) {
	healthy := gitlab.Hook{ID: 1, URL: receiver, Issues: true, ConfidentialIssues: true, MergeRequests: true, Notes: true, ConfidentialNotes: true, SigningToken: true, VerifiesTLS: true, AlertStatus: "executable"}
	for name, c := range map[string]struct {
		change func(*gitlab.Hook)
		want   []string
	}{
		"nothing":                    {func(*gitlab.Hook) {}, nil},
		"a GitLab without a status":  {func(h *gitlab.Hook) { h.AlertStatus = "" }, nil},
		"a secret token":             {func(h *gitlab.Hook) { h.SigningToken, h.Token = false, true }, nil},
		"no token":                   {func(h *gitlab.Hook) { h.SigningToken = false }, []string{"no signing token and no secret token is set"}},
		"plain http on this machine": {func(h *gitlab.Hook) { h.URL, h.VerifiesTLS = "http://127.0.0.1/", false }, nil},
		"no verification":            {func(h *gitlab.Hook) { h.VerifiesTLS = false }, []string{"SSL verification is off"}},
		"disabled for good":          {func(h *gitlab.Hook) { h.AlertStatus = "disabled" }, []string{"disabled by GitLab (disabled)"}},
		"disabled for a while": {func(h *gitlab.Hook) {
			h.AlertStatus, h.DisabledUntil = "temporarily_disabled", time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
		}, []string{"disabled by GitLab (temporarily_disabled) until 2026-11-29T07:00:00Z"}},
		"no events": {func(h *gitlab.Hook) {
			h.Issues, h.ConfidentialIssues, h.MergeRequests, h.Notes, h.ConfidentialNotes = false, false, false, false, false
		}, []string{"issues_events is off", "confidential_issues_events is off", "merge_requests_events is off", "note_events is off", "confidential_note_events is off"}},
	} {
		hook := healthy
		c.change(&hook)
		if diff := cmp.Diff(c.want, hook.Findings()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHookSends_ComparesOriginAndPath(t *testing.T) {
	for address, want := range map[string]bool{
		receiver: true, receiver + "/": true, "https://LORE.example.com:443/webhooks/gitlab": true,
		"http://lore.example.com/webhooks/gitlab": false, "https://lore.example.com/webhooks": false, "https://example.com/webhooks/gitlab": false,
	} {
		if got := (gitlab.Hook{URL: receiver}).Sends(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

func TestHookSilent_IsAChangeThatNoDeliveryFollows(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const soon, day = surgical.SilentAfter / 2, 24 * time.Hour
	for name, c := range map[string]struct {
		created, changed time.Time
		sent             []time.Time
		status           string
		silent           bool
	}{
		"no delivery at all":                     {ago(day), ago(time.Hour), nil, "", true},
		"an older delivery":                      {ago(day), ago(time.Hour), []time.Time{ago(2 * time.Hour), ago(5 * time.Hour)}, "", true},
		"a later delivery":                       {ago(day), ago(time.Hour), []time.Time{ago(50 * time.Minute)}, "", false},
		"a delivery in the same second":          {ago(day), ago(time.Hour), []time.Time{ago(time.Hour)}, "", false},
		"the change is new":                      {ago(day), ago(soon), nil, "", false},
		"the change is older than the hook":      {ago(time.Hour), ago(2 * time.Hour), nil, "", false},
		"the hook was just made":                 {ago(time.Hour), ago(time.Hour - soon), nil, "", false},
		"the change is older than the log":       {ago(30 * day), ago(7 * day), nil, "", false},
		"the log does not say when":              {ago(day), ago(time.Hour), []time.Time{{}}, "", false},
		"nothing changed":                        {ago(day), time.Time{}, nil, "", false},
		"GitLab does not say when it was made":   {time.Time{}, ago(time.Hour), nil, "", false},
		"a disabled hook, which is found anyway": {ago(day), ago(time.Hour), nil, "disabled", false},
	} {
		var events []gitlab.HookEvent
		for _, at := range c.sent {
			events = append(events, gitlab.HookEvent{SentAt: at})
		}
		hook := gitlab.Hook{CreatedAt: c.created, AlertStatus: c.status}
		if got := hook.Silent(events, c.changed, now); (got != "") != c.silent {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// logOf adds deliveries with the statuses to the log of a new hook, the oldest first.
func logOf(t *testing.T, server *fakegitlab.Server, statuses ...string) (hook int64) {
	t.Helper()
	post(t, server, "projects/1/hooks", completeHook)
	hook = server.Hooks(1)[0].ID
	for i, status := range statuses {
		server.AddHookEvents(1, hook, fakegitlab.HookEvent{
			ID: int64(i + 1), URL: receiver, Trigger: "issue_hooks", ResponseStatus: status, ResponseBody: "says " + status,
			RequestHeaders:  map[string]string{"Idempotency-Key": fmt.Sprint("key-", i+1), "X-Gitlab-Event": "Issue Hook"},
			RequestData:     json.RawMessage(`{"object_kind":"issue"}`),
			ResponseHeaders: map[string]string{"date": "Sun, 29 Nov 2026 05:00:00 GMT"},
		})
	}
	return hook
}

func TestClientHookEvents_ReadsWhatGitLabLogged(t *testing.T) {
	server, client := demo(t)
	hook := logOf(t, server, "200", "internal error", "502", "302", "404")
	page, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, hook, "")
	if err != nil || page.Next != "" || page.Requests != 1 || page.Total != 5 {
		t.Fatalf("%+v, %v", page.Answer, err)
	}
	var got []string
	for _, e := range page.Events {
		got = append(got, fmt.Sprint(e.ID, " ", e.Status, " ", e.Failed()))
	}
	if diff := cmp.Diff([]string{"5 404 true", "4 302 false", "3 502 true", "2 0 true", "1 200 false"}, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	want := gitlab.HookEvent{
		ID: 3, Status: 502, Headers: http.Header{"Idempotency-Key": {"key-3"}, "X-Gitlab-Event": {"Issue Hook"}},
		Body: json.RawMessage(`{"object_kind":"issue"}`), ResponseBody: "says 502", SentAt: time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, page.Events[2]); diff != "" {
		t.Errorf("a delivery (-want +got):\n%s", diff)
	}
}

func TestClientHookEvents_TakesOneRequestForAHundredDeliveries(t *testing.T) {
	for name, c := range map[string]struct {
		proxy               func(http.Handler) http.Handler
		requests, requests0 int
	}{
		"GitLab":         {func(h http.Handler) http.Handler { return h }, 3, 1},
		"without totals": {stripped, 4, 1},
		"pages of 20":    {func(h http.Handler) http.Handler { return capped(20, h) }, 13, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := fakegitlab.New(fakegitlab.Options{Token: sampleToken})
			client := newClient(t, serve(t, c.proxy(server)))
			hook := logOf(t, server)
			read := func() (ids []int64, requests int) {
				cursor := ""
				for {
					page, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, hook, cursor)
					if err != nil {
						t.Fatal(err)
					}
					requests += page.Requests
					for _, e := range page.Events {
						ids = append(ids, e.ID)
					}
					if cursor = page.Next; cursor == "" {
						return ids, requests
					}
				}
			}
			if ids, requests := read(); len(ids) != 0 || requests != c.requests0 {
				t.Errorf("an empty log: %v with %d requests", ids, requests)
			}
			for range 250 {
				server.AddHookEvents(1, hook, fakegitlab.HookEvent{ResponseStatus: "200"})
			}
			ids, requests := read()
			slices.Sort(ids)
			if len(slices.Compact(ids)) != 250 || requests != c.requests {
				t.Errorf("%d deliveries with %d requests", len(slices.Compact(ids)), requests)
			}
		})
	}
}

func TestClientHookEvents_SaysWhereThereIsNoLog(t *testing.T) {
	old := fakegitlab.New(fakegitlab.Options{Token: sampleToken, NoDeliveryLog: true})
	hook := logOf(t, old, "200")
	client := newClient(t, serve(t, old))
	if page, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, hook, ""); err != nil || !strings.Contains(page.Unavailable, "17.3") || page.Next != "" {
		t.Errorf("an old GitLab: %+v, %v", page, err)
	}
	server, client := demo(t)
	hook = logOf(t, server, "200")
	server.Inject(fakegitlab.Fault{Endpoint: "hook events", Status: 403, Requests: 1})
	if page, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, hook, ""); err != nil || !strings.Contains(page.Unavailable, "Maintainer") {
		t.Errorf("a developer: %+v, %v", page, err)
	}
	for name, c := range map[string]struct {
		hook   int64
		cursor string
		code   surgical.Code
	}{
		"a hook that is gone": {hook + 1, "", surgical.CodeGitLabNotFound}, "an odd cursor": {hook, "x", surgical.CodeInvalidRequest}, "a cursor before the start": {hook, "-5", surgical.CodeInvalidRequest},
	} {
		page, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, c.hook, c.cursor)
		if surgical.CodeOf(err) != c.code || page.Unavailable != "" {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
}

func TestClientHookEvents_ReadsLargeDeliveriesInSmallerPages(t *testing.T) {
	server, client := demo(t)
	hook := logOf(t, server)
	large := json.RawMessage(`"` + strings.Repeat("x", surgical.MaxListPageBytes/3) + `"`)
	for i := range 5 {
		e := fakegitlab.HookEvent{ResponseStatus: "500", RequestData: json.RawMessage(`{}`)}
		if i%2 == 0 {
			e.RequestData = large
		}
		server.AddHookEvents(1, hook, e)
	}
	server.AddHookEvents(1, hook, fakegitlab.HookEvent{ResponseStatus: "500", RequestData: json.RawMessage(`{"object_kind":"issue","text":"` + strings.Repeat("x", surgical.MaxListPageBytes) + `"}`)})
	server.AddHookEvents(1, hook, fakegitlab.HookEvent{ResponseStatus: "500", RequestData: json.RawMessage(`{}`)})
	seen, cursor := map[int64]bool{}, ""
	for {
		page, err := client.HookEvents(t.Context(), gitlab.Owner{Project: 1}, hook, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			seen[e.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d deliveries", len(seen))
	}
}
