package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const widgetARN = "arn:aws:lambda:eu-central-1:123456789012:function:lorehook-widget"

// dashboard returns the widgetContext from the CloudWatch User Guide, for the
// hours around the tests' clock.
func dashboard(change ...func(map[string]any)) map[string]any {
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	c := map[string]any{
		"dashboardName": "lorehook", "widgetId": "widget-16", "accountId": "123456789012", "locale": "en",
		"timezone": map[string]any{"label": "UTC", "offsetISO": "+00:00", "offsetInMinutes": 0},
		"period":   300, "isAutoPeriod": true,
		"timeRange": map[string]any{"mode": "relative", "start": start.UnixMilli(), "end": start.Add(12 * time.Hour).UnixMilli(), "relativeStart": 43200000},
		"theme":     "light", "linkCharts": true, "title": "Runs", "forms": map[string]any{"all": map[string]any{}},
		"params": map[string]any{}, "width": 1200, "height": 800,
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// shown invokes the widget the way the dashboard does.
func shown(t *testing.T, w *console.Widget, params map[string]any, change ...func(map[string]any)) string {
	t.Helper()
	event := map[string]any{"widgetContext": dashboard(change...)}
	for name, value := range params {
		event[name] = value
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return invoked(t, w, raw)
}

func invoked(t *testing.T, w *console.Widget, raw []byte) string {
	t.Helper()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{InvokedFunctionArn: widgetARN})
	body, err := w.Handle(ctx, raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return body
}

// views returns parameters that together show every part of the widget.
func (f *fixture) views() map[string]map[string]any {
	return map[string]map[string]any{
		"overview": {}, "overview of a project": {"project_id": 1, "limit": 5}, "runs": {"view": "runs"},
		"failed runs": {"view": "runs", "status": "failed", "project_id": "1"}, "run succeeded": {"view": "run", "run_id": f.good},
		"run failed": {"view": "run", "run_id": f.failed}, "run failed as a whole": {"view": "run", "run_id": f.other},
		"run waits": {"view": "run", "run_id": f.waiting}, "entity": {"view": "entity", "project_id": 1, "type": "issue", "iid": 7},
		"bad parameter": {"view": hostile}, "unknown parameter": {hostile: 1}, "no such run": {"view": "run", "run_id": "xyz"},
	}
}

func TestWidget_DescribesItselfInMarkdown(t *testing.T) {
	w, err := console.NewWidget(broken{(*ledger.Ledger)(nil)}, func(int64) bool { return true }, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{`{"describe":true}`, `{"describe":{}}`, `{"describe":"","widgetContext":{"theme":"dark"}}`} {
		text := invoked(t, w, []byte(event))
		if !strings.HasPrefix(text, "## ") || strings.Contains(text, "<") {
			t.Errorf("%s: not Markdown:\n%s", event, text)
		}
	}
	for _, name := range []string{"view", "project_id", "status", "period", "limit", "run_id", "type", "iid"} {
		if !strings.Contains(invoked(t, w, []byte(`{"describe":true}`)), "**"+name+"**") {
			t.Errorf("the parameter %s is not described", name)
		}
	}
}

// CloudWatch uses the first YAML block of the description as the parameters.
func TestWidget_DescribesValidDefaults(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		w := newFixture(t, e).widget()
		block := between(t, invoked(t, w, []byte(`{"describe":true}`)), "``` yaml\n", "\n```")
		params := map[string]any{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, ok := strings.Cut(line, ": ")
			if !ok {
				t.Fatalf("%q is not a parameter", line)
			}
			params[name] = value
		}
		body := shown(t, w, params)
		if !strings.Contains(body, "<h1>Overview</h1>") || strings.Contains(body, `class="lh-notice"`) {
			t.Errorf("with %v:\n%s", params, body)
		}
	})
}

var action = regexp.MustCompile(`(<[^<>]*>[^<>]*</[^<>]*>)?<cwdb-action action="call" display="widget" endpoint="([^"]*)">([^<]*)</cwdb-action>`)

// A cwdb-action applies to the element before it, invokes this function, and
// contains JSON that the function accepts.
func TestWidget_LinksInvokeItWithValidParameters(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		w := f.widget()
		for name, params := range f.views() {
			body := shown(t, w, params)
			links := action.FindAllStringSubmatch(body, -1)
			if len(links) != strings.Count(body, "<cwdb-action") || len(links) < 2 {
				t.Errorf("%s: %d of %d actions are well formed", name, len(links), strings.Count(body, "<cwdb-action"))
			}
			for _, l := range links {
				if !strings.HasPrefix(l[1], `<button type="button" class="lh-a`) || l[2] != widgetARN {
					t.Errorf("%s: the action calls %s, and follows %q", name, l[2], l[1])
				}
				var next map[string]any
				if err := json.Unmarshal([]byte(html.UnescapeString(l[3])), &next); err != nil {
					t.Errorf("%s: %s: %v", name, l[3], err)
					continue
				}
				if led := shown(t, w, next); strings.Contains(led, "invalid_request") || strings.Contains(led, `class="lh-notice"`) {
					t.Errorf("%s: %v leads to:\n%s", name, next, led)
				}
			}
		}
	})
}

func TestWidget_ShowsInvalidParametersAsAMessage(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		w := f.widget()
		for event, want := range map[string]string{
			`{"view":"everything"}`:          `view must be one of overview, runs, run, entity, projects, project, got "everything"`,
			`{"view":"run","run_id":"../x"}`: `run_id must be 1 to 64 lowercase letters and digits, got "../x"`,
			`{"limit":1e9}`:                  `limit must be a positive number, got "1e9"`,
			`{"limit":101}`:                  `limit must be a number from 1 to 100, got "101"`,
			`{"project_id":[1]}`:             `project_id must be a string or a number`,
			`{"status":{"a":1}}`:             `status must be a string or a number`,
			`{"view":"entity"}`:              `iid is missing; project_id is missing; type is missing`,
			`[1]`:                            `the parameters are not a JSON object`,
			`"overview"`:                     `the parameters are not a JSON object`,
			`{"view":"run","run_id":"wabc","other":"x"}`: `run wabc is not in the ledger`,
		} {
			body := html.UnescapeString(invoked(t, w, []byte(event)))
			if !strings.Contains(body, want) || !strings.Contains(body, `<code class="lh-code">`) {
				t.Errorf("%s: no %q in:\n%s", event, want, body)
			}
		}
		for _, event := range []string{`{}`, `null`, `{"view":null,"project_id":""}`, `{"widgetContext":"strange"}`, `{"widgetContext":{"timezone":{"offsetISO":"noon"},"width":"wide"}}`} {
			if body := invoked(t, w, []byte(event)); !strings.Contains(body, "<h1>Overview</h1>") {
				t.Errorf("%s does not show the overview:\n%s", event, body)
			}
		}
		if body := shown(t, w, map[string]any{"projectid": 1}); !strings.Contains(body, "The parameter projectid is unknown and was ignored.") {
			t.Errorf("an unknown parameter is not named:\n%s", body)
		}
	})
}

func TestWidget_FollowsTheDashboard(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		w := f.widget()
		f.Clock.AdvanceTo(time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC))
		early := f.ended(surgical.CodeIngestFailed, "early", fakegitlab.IssueRef(7)).RunID
		f.Clock.AdvanceTo(time.Date(2026, 11, 2, 10, 30, 0, 0, time.UTC))
		late := f.ended(surgical.CodeIngestFailed, "late", fakegitlab.IssueRef(8)).RunID
		f.Clock.AdvanceTo(time.Date(2026, 11, 2, 11, 0, 0, 0, time.UTC))

		hour := func(h int) int64 { return time.Date(2026, 11, 2, h, 0, 0, 0, time.UTC).UnixMilli() }
		inRange := func(name string, c map[string]any, params map[string]any, want ...string) {
			t.Helper()
			for _, view := range []string{"overview", "runs"} {
				all := map[string]any{"view": view}
				for k, v := range params {
					all[k] = v
				}
				body := shown(t, w, all, func(context map[string]any) { context["timeRange"] = c })
				for _, id := range []string{early, late} {
					if got := strings.Contains(body, "Run "+id); got != slices.Contains(want, id) {
						t.Errorf("%s, %s: run %s is shown: %v", name, view, id, got)
					}
				}
			}
		}
		whole := map[string]any{"mode": "absolute", "start": hour(7), "end": hour(11)}
		inRange("the whole morning", whole, nil, early, late)
		inRange("until nine", map[string]any{"start": hour(7), "end": hour(9)}, nil, early)
		inRange("zoomed in", map[string]any{"start": hour(7), "end": hour(11), "zoom": map[string]any{"start": hour(10), "end": hour(11)}}, nil, late)
		inRange("a requested period", map[string]any{"start": hour(7), "end": hour(9)}, map[string]any{"period": "1h"}, late)
		inRange("no time range", map[string]any{}, nil, early, late)

		zoned := html.UnescapeString(shown(t, w, nil, func(c map[string]any) {
			c["timezone"] = map[string]any{"label": "Local", "offsetISO": "+05:30", "offsetInMinutes": -330}
		}))
		for _, want := range []string{"As of <time", ">16:30:00</time> UTC+05:30", ">16:00:01</time>"} {
			if !strings.Contains(zoned, want) {
				t.Errorf("at +05:30 there is no %q in:\n%s", want, zoned)
			}
		}
		for theme, dark := range map[string]bool{"light": false, "dark": true, "": false} {
			body := shown(t, w, nil, func(c map[string]any) { c["theme"] = theme })
			if got := strings.Contains(body, "color-scheme: dark"); got != dark {
				t.Errorf("theme %q is dark: %v", theme, got)
			}
		}
		for width, narrow := range map[float64]bool{1200: false, 620: false, 619: true, 300: true, 0: false} {
			body := shown(t, w, nil, func(c map[string]any) { c["width"] = width })
			if got := strings.Contains(body, "Tables become cards"); got != narrow {
				t.Errorf("%v pixels are narrow: %v", width, got)
			}
		}
	})
}

// The dashboard sends the form's fields with every call, but they apply only to
// the form's own button.
func TestWidget_FormSelectsRuns(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		fields := func(c map[string]any) {
			c["forms"] = map[string]any{"all": map[string]any{"status": "failed", "project_id": " 1 "}}
		}
		if body := shown(t, f.widget(), map[string]any{"view": "runs", "form": true}, fields); !strings.Contains(body, "Failed runs of project 1") {
			t.Errorf("the form's fields are not applied:\n%s", body)
		}
		if body := shown(t, f.widget(), map[string]any{"view": "runs"}, fields); !strings.Contains(body, "All runs") {
			t.Errorf("the form's fields apply to another link:\n%s", body)
		}
		bad := func(c map[string]any) {
			c["forms"] = map[string]any{"all": map[string]any{"project_id": "group/project"}}
		}
		if body := html.UnescapeString(shown(t, f.widget(), map[string]any{"view": "runs", "form": true}, bad)); !strings.Contains(body, `project_id must be a positive number, got "group/project"`) {
			t.Errorf("the field is not rejected:\n%s", body)
		}
	})
}

// The widget's role allows exactly these calls: see infra/permissions.go.
func TestWidget_ReadsOnlyWhatItsRoleAllows(t *testing.T) {
	allowed := []string{
		"GetItem sync_runs", "BatchGetItem sync_runs", "Query sync_runs/runs_by_project", "Query sync_runs/runs_by_status",
		"Query sync_run_entities", "BatchGetItem sync_run_entities", "Query sync_run_entities/runs_by_entity",
		"Query dependent_queue", "Query dirty_sources", "GetItem state",
	}
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		w := f.widget()
		used := map[string]bool{}
		for _, params := range f.views() {
			body := shown(t, w, params)
			if strings.Contains(body, "Search shows pages") || strings.Contains(body, "Stream exports") {
				t.Errorf("%v shows a title:\n%s", params, body)
			}
		}
		for _, call := range f.calls.taken() {
			used[call] = true
			if !slices.Contains(allowed, call) {
				t.Errorf("unexpected call: %s", call)
			}
		}
		for _, call := range allowed {
			if !used[call] {
				t.Errorf("nothing calls %s: the role allows too much", call)
			}
		}
	})
}

func TestWidget_LogsOneLinePerCallWithoutText(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		w := f.widget()
		for name, params := range f.views() {
			f.log.Reset()
			shown(t, w, params)
			if n := strings.Count(f.log.String(), "\n"); n != 1 || strings.Contains(f.log.String(), "pwned") || strings.Contains(f.log.String(), `"level":"ERROR"`) {
				t.Errorf("%s: %d lines:\n%s", name, n, f.log)
			}
		}
	})
}

func TestWidget_ShowsNothingOfProjectsThatAreNotAllowed(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		for name, params := range f.views() {
			f.allowed = nil
			if before := shown(t, f.widget(), params); name == "runs" && !strings.Contains(before, f.good) {
				t.Fatalf("the runs do not include %s, and the test would prove nothing", f.good)
			}
			f.allowed = func(int64) bool { return false }
			body := shown(t, f.widget(), params)
			for _, id := range []string{f.good, f.failed, f.retried, f.retry, f.waiting, f.queued, f.other} {
				if strings.Contains(body, id) && params["run_id"] != id {
					t.Errorf("%s shows run %s:\n%s", name, id, body)
				}
			}
			if strings.Contains(body, "demo/") {
				t.Errorf("%s shows a project's path:\n%s", name, body)
			}
			if params["run_id"] == f.good && !strings.Contains(body, surgical.NotAllowed(1).Message) {
				t.Errorf("%s does not say that the project is not allowed:\n%s", name, body)
			}
		}
	})
}

func TestWidget_ReportsAnUnreachableLedger(t *testing.T) {
	var log strings.Builder
	w, err := console.NewWidget(broken{(*ledger.Ledger)(nil)}, func(int64) bool { return true }, time.Now, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := w.Handle(context.Background(), []byte(`{}`))
	if err != nil || !strings.Contains(body, "an internal error; the logs hold its cause") || strings.Contains(body, "10.0.0.7") {
		t.Errorf("%v:\n%s", err, body)
	}
	if !strings.Contains(log.String(), "10.0.0.7") || !strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("the log does not name the cause: %s", fmt.Sprint(log.String()))
	}
}
