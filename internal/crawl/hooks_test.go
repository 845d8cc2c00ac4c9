package crawl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

const lorehook = "https://lore.example.com/webhooks/gitlab"

const allEvents = `"push_events":false,"issues_events":true,"confidential_issues_events":true,"merge_requests_events":true,"note_events":true,"confidential_note_events":true`

// hooked adds a hook to "projects/1" or to a group, and returns its id.
func (w *world) hooked(owner, settings string) int64 {
	w.T.Helper()
	if !strings.Contains(settings, `"url"`) {
		settings = `"url":"` + lorehook + `",` + settings
	}
	r := httptest.NewRequest(http.MethodPost, "/api/v4/"+owner+"/hooks", strings.NewReader("{"+settings+"}"))
	r.Header.Set("PRIVATE-TOKEN", cloud.Token)
	answer := httptest.NewRecorder()
	w.GitLab.ServeHTTP(answer, r)
	var hook struct{ ID int64 }
	if err := json.Unmarshal(answer.Body.Bytes(), &hook); err != nil || answer.Code != http.StatusCreated {
		w.T.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return hook.ID
}

// answering makes GitLab answer requests whose path contains the text with the fault.
func (w *world) answering(text string, fault faults.Kind) {
	around := w.Around
	w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if req, ok := call.Input.(*http.Request); ok && strings.Contains(req.URL.Path, text) {
			return fault.Do(ctx, call, send)
		}
		return around(ctx, call, send)
	}
}

// hourly lets so many checks of hooks go by.
func (w *world) hourly(checks int) {
	for range checks {
		w.Clock.Advance(surgical.HookCheckInterval)
		w.Crawl()
		w.Settle()
	}
}

func (w *world) hook() surgical.HookCheck {
	w.T.Helper()
	p, err := w.Ledger.Project(w.T.Context(), fakegitlab.ProjectID)
	if err != nil {
		w.T.Fatal(err)
	}
	return p.Hook
}

// emitted adds up a metric that the crawler wrote.
func (w *world) emitted(name string) (n float64) {
	w.T.Helper()
	for line := range strings.Lines(w.metrics.String()) {
		data, err := metricstest.Read([]byte(line))
		if err != nil {
			w.T.Fatal(err)
		}
		for _, d := range data {
			if d.Name == name {
				for _, v := range d.Values {
					n += v
				}
			}
		}
	}
	return n
}

func TestWatchHooks_SaysWhetherAHookWorksAndWhyNot(t *testing.T) {
	signed := allEvents + `,"signing_token":"whsec_x"`
	for name, c := range map[string]struct {
		prepare  func(w *world)
		state    surgical.HookState
		says     string
		findings int64 // after two checks
	}{
		"none":                   {func(*world) {}, surgical.HookMissing, "neither the project nor a group", 2},
		"one of somebody else's": {func(w *world) { w.hooked("projects/1", `"url":"https://other.example.com/hook",`+signed) }, surgical.HookMissing, "neither", 2},
		"the project's":          {func(w *world) { w.hooked("projects/1", signed) }, surgical.HookWorking, "", 0},
		"at another domain":      {func(w *world) { w.hooked("projects/1", `"url":"https://hooks.example.com/x/webhooks/gitlab/",`+signed) }, surgical.HookWorking, "", 0},
		"the group's":            {func(w *world) { w.hooked("groups/demo", signed) }, surgical.HookWorking, "", 0},
		"incomplete":             {func(w *world) { w.hooked("projects/1", `"issues_events":true,"token":"x"`) }, surgical.HookMissing, "note_events is off", 2},
		"incomplete, but for the group's": {func(w *world) {
			w.hooked("projects/1", `"issues_events":true,"token":"x"`)
			w.hooked("groups/demo", signed)
		}, surgical.HookWorking, "", 0},
		"disabled": {func(w *world) {
			id := w.hooked("projects/1", signed)
			w.GitLab.EditHook(1, id, func(h *fakegitlab.Hook) { h.AlertStatus = "disabled" })
			w.GitLab.AddHookEvents(1, id, fakegitlab.HookEvent{ResponseStatus: "503"})
		}, surgical.HookDisabled, "disabled by GitLab (disabled); the last delivery was answered with 503", 2},
		"the token may not look": {func(w *world) {
			w.hooked("projects/1", signed)
			w.GitLab.Inject(fakegitlab.Fault{Endpoint: "hooks", Status: 403, Requests: 100})
		}, surgical.HookUnreadable, "Maintainer", 0},
		"the token may not look at the group's": {func(w *world) {
			w.hooked("groups/demo", signed)
			w.answering("/groups/", faults.Forbidden)
		}, surgical.HookUnreadable, "the hooks of the group demo", 0},
		"disabled, and the token may not look at the group's": {func(w *world) {
			id := w.hooked("projects/1", signed)
			w.GitLab.EditHook(1, id, func(h *fakegitlab.Hook) { h.AlertStatus = "disabled" })
			w.answering("/groups/", faults.Forbidden)
		}, surgical.HookDisabled, "disabled by GitLab", 2},
		"none, and this GitLab has none of groups": {func(w *world) { w.answering("/groups/", faults.NotFound) }, surgical.HookMissing, "neither", 2},
		"of a group that the project was transferred to": {func(w *world) {
			w.hooked("groups/demo", `"issues_events":true,"token":"x"`)
			w.GitLab.AddProject(fakegitlab.ProjectID, "other/lorehook-demo")
			w.hooked("groups/other", signed)
		}, surgical.HookWorking, "", 0},
		"of a group that the project left": {func(w *world) {
			w.hooked("groups/demo", signed)
			w.GitLab.AddProject(fakegitlab.ProjectID, "other/lorehook-demo")
		}, surgical.HookMissing, "neither", 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.cycle() // finds out the project's path
				c.prepare(w)
				w.hourly(2)
				got := w.hook()
				if got.State != c.state || !strings.Contains(got.Reason, c.says) || got.Findings != c.findings || !got.CheckedAt.After(w.Clock.Now().Add(-time.Hour)) {
					t.Errorf("%+v", got)
				}
				// The project had no hook before.
				if alarms, want := w.emitted(metrics.HooksBroken().Name), float64(c.findings); c.findings > 0 && alarms < want-1 || c.findings == 0 && alarms > 1 {
					t.Errorf("%v alarms after %v findings", alarms, c.findings)
				}
			})
		})
	}
}

func TestWatchHooks_RaisesTheMetricFromTheSecondFindingOn(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.cycle()
		w.hourly(1)
		set := func(status string) { w.GitLab.EditHook(1, id, func(h *fakegitlab.Hook) { h.AlertStatus = status }) }
		for i, c := range []struct {
			status string
			want   float64
		}{{"executable", 0}, {"disabled", 0}, {"executable", 0}, {"disabled", 0}, {"disabled", 1}, {"disabled", 2}, {"executable", 2}, {"disabled", 2}} {
			set(c.status)
			w.hourly(1)
			if got := w.emitted(metrics.HooksBroken().Name); got != c.want {
				t.Errorf("step %d, %s: %v, want %v", i, c.status, got, c.want)
			}
		}
	})
}

func TestWatchHooks_NoticesThatGitLabSendsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.cycle()
		w.hourly(1)
		if got := w.hook(); got.State != surgical.HookWorking {
			t.Errorf("at first %+v", got)
		}
		w.add(70)
		w.cycle()
		w.hourly(1)
		if got := w.hook(); got.State != surgical.HookSilent || !strings.Contains(got.Reason, "has sent nothing") {
			t.Errorf("%+v", got)
		}
	})
}

// failing adds failed deliveries about the issues to the log of the hook, one each.
func (w *world) failing(hook int64, status string, iids ...int64) {
	for _, iid := range iids {
		body := fmt.Sprintf(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":%d}}`, iid)
		w.GitLab.AddHookEvents(1, hook, fakegitlab.HookEvent{
			ResponseStatus: status, RequestData: json.RawMessage(body),
			RequestHeaders: map[string]string{"Idempotency-Key": fmt.Sprint("delivery-", iid), "X-Gitlab-Event": "Issue Hook", "webhook-timestamp": fmt.Sprint(w.Clock.Now().Unix())},
		})
	}
}

// failingConfidential adds a failed delivery that calls the issue confidential.
func (w *world) failingConfidential(hook, iid int64) {
	w.GitLab.AddHookEvents(1, hook, fakegitlab.HookEvent{
		ResponseStatus: "503", RequestHeaders: map[string]string{"Idempotency-Key": "confidential", "X-Gitlab-Event": "Confidential Issue Hook"},
		RequestData: json.RawMessage(fmt.Sprintf(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":%d,"confidential":true}}`, iid)),
	})
}

// webhookRuns counts the runs that deliveries about the issue made.
func (w *world) webhookRuns(iid int64) (n int) {
	for _, run := range w.Runs() {
		if run.Origin == surgical.OriginWebhook && run.Targets[0].IID == iid {
			n++
		}
	}
	return n
}

// An edit within a minute of another leaves no trace in a list: only the log shows it.
func TestWatchHooks_RequestsARunForADeliveryThatFailed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(70)
		hook := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.cycle()
		w.hourly(1)
		w.Webhook(issue(70))
		w.settleRuns()
		before := w.webhookRuns(70)
		w.GitLab.AddDiscussion(issue(70), fakegitlab.Note{Body: "First."})
		w.Webhook(issue(70))
		w.settleRuns()
		discussion := w.GitLab.Discussions(issue(70))[0].ID
		note := w.GitLab.AddNote(issue(70), discussion, fakegitlab.Note{Body: "Second."})
		w.Webhook(issue(70))
		w.settleRuns()
		w.GitLab.EditNote(issue(70), note, "Second, edited within the minute.")
		w.failing(hook, "internal error", 70)
		w.failing(hook, "200", 70)
		w.cycle()
		w.current(issue(70))
		if n := w.webhookRuns(70) - before; n != 3 {
			t.Errorf("%d runs, want the two deliveries and the one that failed", n)
		}
		// Sent again, and failed again: it is the same delivery.
		w.failing(hook, "503", 70)
		w.cycle()
		w.cycle()
		if n := w.webhookRuns(70) - before; n != 3 {
			t.Errorf("%d runs after it failed again", n)
		}
	})
}

func TestWatchHooks_TakesOneRequestForAHundredDeliveries(t *testing.T) {
	inWorld(t, func(w *world) {
		hook := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.failing(hook, "200", 1)
		w.cycle()
		w.hourly(1)
		logs := func() int { return w.GitLab.Requests()["1 hook events"] }
		for _, n := range []int{0, 99, 100, 250} {
			before := logs()
			for range n {
				w.failing(hook, "500", 7, 8)
			}
			w.cycle()
			if got, most := logs()-before, 1+2*n/100; got > most {
				t.Errorf("%d deliveries took %d requests, want at most %d", 2*n, got, most)
			}
			if w.webhookRuns(7) > 1 || n > 0 && w.webhookRuns(8) != 1 {
				t.Errorf("%d and %d runs", w.webhookRuns(7), w.webhookRuns(8))
			}
		}
	})
}

// delivered adds deliveries that succeeded to the log of the hook.
func (w *world) delivered(hook int64, n int) {
	events := make([]fakegitlab.HookEvent, n)
	for i := range events {
		events[i].ResponseStatus = "200"
	}
	w.GitLab.AddHookEvents(1, hook, events...)
}

func TestWatchHooks_GoesOnWhereAReadingOfTheLogEnded(t *testing.T) {
	inWorld(t, func(w *world) {
		hook := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.delivered(hook, 1)
		w.cycle()
		w.hourly(1)
		const more = surgical.MaxDeliveryPages*100 + 50
		for step, c := range []struct {
			failing int64
			then    int
			runs    map[int64]int // afterwards
		}{
			{7, more, map[int64]int{7: 0}},
			{8, more, map[int64]int{7: 0, 8: 0}}, // neither is lost
			{9, 10, map[int64]int{7: 0, 8: 1, 9: 1}},
			{70, 0, map[int64]int{7: 1, 70: 1}},
		} {
			w.failing(hook, "500", c.failing)
			w.delivered(hook, c.then)
			w.Clock.Advance(surgical.ReconcileInterval)
			w.Crawl()
			w.settleRuns()
			for iid, want := range c.runs {
				if got := w.webhookRuns(iid); got != want {
					t.Errorf("step %d: %d runs of issue %d, want %d", step, got, iid, want)
				}
			}
		}
		before := w.GitLab.Requests()["1 hook events"]
		w.cycle()
		if n := w.GitLab.Requests()["1 hook events"] - before; n != 1 || w.hook().Unread != "" {
			t.Errorf("%d requests in the end, %+v", n, w.hook())
		}
	})
}

func TestWatchHooks_ReadsTheLogOfAGroupsHookOnceForAllProjects(t *testing.T) {
	inWorld(t, func(w *world) {
		w.GitLab.AddProject(2, "demo/two")
		w.GitLab.AddProject(3, "demo/three")
		w.Crawler().Listed = []int64{fakegitlab.ProjectID, 2, 3}
		w.hooked("groups/demo", allEvents+`,"signing_token":"whsec_x"`)
		w.cycle()
		w.hourly(1)
		logs, around := 0, w.Around
		w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
			if req, ok := call.Input.(*http.Request); ok && strings.HasSuffix(req.URL.Path, "/events") {
				logs++
			}
			return around(ctx, call, send)
		}
		const cycles = 3
		for range cycles * surgical.ReconcileInterval / surgical.CrawlInterval {
			w.Clock.Advance(surgical.CrawlInterval)
			w.Crawl()
		}
		if logs < cycles-1 || logs > cycles {
			t.Errorf("%d requests in %d intervals", logs, cycles)
		}
	})
}

func TestWatchHooks_IgnoresWhatTheWebhookIgnores(t *testing.T) {
	inWorld(t, func(w *world) {
		hook := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.cycle()
		w.hourly(1)
		before := len(w.Runs())
		for _, body := range []string{
			`{"oversize":true}`, `[]`, `null`, `{"object_kind":"pipeline","project":{"id":1}}`,
			`{"object_kind":"issue","project":{"id":2},"object_attributes":{"iid":7}}`, `{"object_kind":"issue","project":{"id":1},"object_attributes":{}}`,
		} {
			w.GitLab.AddHookEvents(1, hook, fakegitlab.HookEvent{ResponseStatus: "500", RequestData: json.RawMessage(body)})
		}
		w.cycle()
		if n := len(w.Runs()) - before; n != 0 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestWatchHooks_GoesOnWithoutALog(t *testing.T) {
	inWorld(t, func(w *world) {
		w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.GitLab.Inject(fakegitlab.Fault{Endpoint: "hook events", Status: 404, Body: `{"error":"404 Not Found"}`, Requests: 2})
		w.cycle()
		w.hourly(1)
		if got := w.hook(); got.State != surgical.HookWorking || !strings.Contains(got.NoLog, "17.3") {
			t.Errorf("%+v", got)
		}
		before := w.GitLab.Requests()["1 hook events"]
		w.cycle()
		w.cycle()
		if got := w.GitLab.Requests()["1 hook events"]; got != before {
			t.Errorf("the log was asked for %d times more", got-before)
		}
		w.hourly(2) // upgraded in between
		if got := w.hook(); got.State != surgical.HookWorking || got.NoLog != "" || got.ReadAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})
}

// A failure of any write of the reading makes no second run, and loses neither a run nor
// what a delivery calls confidential.
func TestWatchHooks_RepeatsAReadingThatACrashInterrupted(t *testing.T) {
	for fail, reached := 1, true; reached; fail++ {
		inWorld(t, func(w *world) {
			w.add(70)
			hook := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
			w.failing(hook, "200", 1)
			w.cycle()
			w.hourly(1)
			w.failing(hook, "500", 7, 8)
			w.failingConfidential(hook, 70)
			w.failing(hook, "500", 9)
			around, made := w.Around, 0
			w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
				if call.Writes() {
					if made++; made == fail {
						return errors.New("crashed")
					}
				}
				return around(ctx, call, send)
			}
			w.Clock.Advance(surgical.ReconcileInterval)
			w.Crawl()
			w.Around, reached = around, made >= fail
			w.Clock.Advance(surgical.CrawlInterval)
			for w.Poll(w.Bulk) { // a run that is known by now must not stop the rest
			}
			w.Crawl()
			for w.Poll(w.Hides) {
			}
			if why := w.why(issue(70)); why != surgical.Hidden {
				t.Errorf("write %d fails: the issue is concealed as %q", fail, why)
			}
			w.cycle()
			w.cycle()
			for _, iid := range []int64{7, 8, 9} {
				if n := w.webhookRuns(iid); n != 1 {
					t.Errorf("write %d fails: %d runs of issue %d", fail, n, iid)
				}
				w.current(issue(iid))
			}
		})
		if fail > 100 {
			t.Fatal("the reading has no end")
		}
	}
}

func TestWatchHooks_HidesWhatAFailedDeliveryCallsConfidential(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(70)
		hook := w.hooked("projects/1", allEvents+`,"signing_token":"whsec_x"`)
		w.cycle()
		w.hourly(1)
		w.Webhook(issue(70))
		w.settleRuns()
		w.failingConfidential(hook, 70)
		w.Clock.Advance(surgical.ReconcileInterval)
		w.Crawl()
		if err := w.Ledger.SetPause(t.Context(), w.Clock.Now().Add(time.Hour), surgical.CodeGitLabRateLimited); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(2 * surgical.Settle)
		for w.Poll(w.Hides) || w.Poll(w.Bulk) {
		}
		if why := w.why(issue(70)); why != surgical.Hidden {
			t.Errorf("while its fetch waits, the issue is concealed as %q", why)
		}
		w.Settle() // GitLab shows it as public
		if why := w.why(issue(70)); why != "" {
			t.Errorf("in the end the issue is concealed as %q", why)
		}
	})
}
