package invariants_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

// everything runs the whole pipeline and returns its output.
func everything(t *testing.T, e engines.Engine) []string {
	t.Helper()
	o := newObserved(t, e)
	o.goesWell(t)
	o.stale()
	o.goesWrong(t)
	return o.Output.Take()
}

var msgForm = regexp.MustCompile(`^[a-z][a-z_]+$`)

func TestInvariant12NoTokenSignatureTitleOrTextReachesALogWhateverGoesWrong(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		lines := everything(t, e)
		forbidden := map[string]string{
			"GitLab token": cloud.Token, "secret token": canarySecret, "signing token": strings.TrimPrefix(canarySigning(), "whsec_"),
			"signature": "v1,", "forged token": canaryForged, "API key": canaryKey, "any canary": "canary",
		}
		for _, line := range lines {
			for what, text := range forbidden {
				if strings.Contains(strings.ToLower(line), strings.ToLower(text)) {
					t.Errorf("the %s is in the log: %.400s", what, line)
				}
			}
		}
		checkLines(t, lines)
		checkMetrics(t, lines)
	})
}

// checkLines checks that every line is JSON with the listed field names, and
// that the lines prove that everything did happen.
func checkLines(t *testing.T, lines []string) {
	t.Helper()
	fields := logs.Fields()
	seen := map[string]int{}
	for _, line := range lines {
		if metricstest.Is(line) {
			continue
		}
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%v: %s", err, line)
			continue
		}
		msg, _ := l["msg"].(string)
		seen[msg]++
		if !msgForm.MatchString(msg) || l["time"] == nil || l["level"] == nil {
			t.Errorf("a line in another format: %s", line)
		}
		for name := range l {
			if fields[name] == "" {
				t.Errorf("%s is not in logs.Fields: %s", name, line)
			}
		}
		// A sweep or a secret concerns no single run; a request or a delivery may be
		// refused. At logLevel=warn the log still reports every failure.
		if l["code"] != nil && l["level"] == "INFO" && msg != "request" {
			t.Errorf("a failure below level warn: %s", line)
		}
		// Projects are watched by a schedule: no run and no request is the cause.
		watched := slices.Contains([]string{
			"project_unseen", "project_hidden", "project_seen_again", "crawled", "pass_ended", "pass_waits", "events_missed", "hook_checked",
		}, msg)
		if l["traceparent"] == nil && msg != "swept" && !watched {
			t.Errorf("a line without a trace: %s", line)
		}
		if l["run_id"] == nil && !watched && msg != "swept" && msg != "secret_failed" && msg != "request" && l["outcome"] != "refused" && l["outcome"] != "ignored" && l["outcome"] != "failed" {
			t.Errorf("a line without a run: %s", line)
		}
	}
	for _, msg := range []string{
		"delivery", "request", "undecodable", "message_waits", "preflight", "committed", "coalesced", "postponed", "paused", "given_up",
		"closed", "workflow_started", "job_done", "stage_ended", "stage_failed", "swept", "resent", "followed_up", "swept_run", "project_unseen", "project_hidden", "project_seen_again",
		"crawled", "events_missed", "hook_checked",
	} {
		if seen[msg] == 0 {
			t.Errorf("no line %q was written: the test proves too little; there were %v", msg, seen)
		}
	}
}

// checkMetrics checks that every listed metric is emitted, and no other.
func checkMetrics(t *testing.T, lines []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range lines {
		if !metricstest.Is(line) {
			continue
		}
		data, err := metricstest.Read([]byte(line))
		if err != nil {
			t.Errorf("%v: %s", err, line)
		}
		for _, d := range data {
			seen[d.Name] = true
			if !slices.ContainsFunc(metrics.All(), func(m metrics.Metric) bool { return m.Name == d.Name && m.Unit == d.Unit }) {
				t.Errorf("%s in %s is not in the list of metrics", d.Name, d.Unit)
			}
		}
	}
	// What every function stands on emits these: function.Main, and the client of DynamoDB.
	elsewhere := []string{metrics.SlowInvocations().Name, metrics.TablesThrottled().Name}
	for _, m := range metrics.All() {
		if !seen[m.Name] && !m.FromLog && !slices.Contains(elsewhere, m.Name) {
			t.Errorf("%s is in the list, and nothing emits it", m.Name)
		}
	}
}

// query is the Logs Insights query `filter field = value | sort @timestamp |
// fields msg`.
func query(t *testing.T, lines []string, field, value string) []string {
	t.Helper()
	var msgs []string
	for _, line := range lines {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l[field] == value {
			msgs = append(msgs, l["msg"].(string))
		}
	}
	return msgs
}

// failingStart fails to start any workflow.
func failingStart(context.Context, surgical.Run, int64, bool) error { return errors.New("away") }

func TestOneQueryShowsTheWholeWayOfADelivery(t *testing.T) {
	docs, embedded := []string{"job_done", "stage_ended"}, []string{"job_done", "stage_ended"}
	small := docs // which embeds as well
	cases := map[string]struct {
		drive func(t *testing.T, o *observed)
		want  []string
	}{
		"from the webhook to the end": {
			func(_ *testing.T, o *observed) { o.work() },
			slices.Concat([]string{"delivery", "preflight", "committed", "workflow_started"}, small, []string{"closed"}),
		},
		"handed on to other executions": {
			func(t *testing.T, o *observed) {
				many(t, o.World, 120)
				o.Docs.Work = hurried{o.Docs.Work}
				o.work()
			},
			slices.Concat([]string{"delivery", "preflight", "committed", "workflow_started", "stage_ended", "stage_ended"}, docs, embedded, []string{"closed"}),
		},
		"started by the sweeper": {
			func(_ *testing.T, o *observed) {
				o.Engine.Launch = failingStart
				o.once() // and the worker dies
				o.Clock.Advance(2 * time.Minute)
				o.sweepOnce()
			},
			slices.Concat([]string{"delivery", "preflight", "committed", "message_waits", "workflow_started"}, small, []string{"closed"}),
		},
		"waited for GitLab, and failed in the end": {
			func(_ *testing.T, o *observed) {
				o.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(8), Requests: 1, Status: 500, Endpoint: "discussions"})
				o.GitLab.Inject(fakegitlab.Fault{Ref: fakegitlab.IssueRef(8), Requests: 1, Status: 403, Endpoint: "discussions"})
				o.work()
			},
			[]string{"delivery", "preflight", "postponed", "message_waits", "preflight", "given_up", "closed"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			engines.Run(t, func(t *testing.T, e engines.Engine) {
				o := newObserved(t, e)
				if status := o.deliver(payload(8), "traceparent", theirs, "idempotency-key", "the-one"); status != 202 {
					t.Fatalf("status %d", status)
				}
				run := o.delivered
				c.drive(t, o)
				lines := o.Output.Take()
				if diff := cmp.Diff(c.want, query(t, lines, "traceparent", theirs)); diff != "" {
					t.Errorf("the way by its trace (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.want, query(t, lines, "run_id", run)); diff != "" {
					t.Errorf("the way by its run (-want +got):\n%s", diff)
				}
			})
		})
	}
}
