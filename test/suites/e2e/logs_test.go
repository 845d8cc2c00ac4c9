package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

func now() time.Time { return time.Now().UTC() }

func TestNoTokenTitleOrTextReachesALog(t *testing.T) {
	s := up(t)
	began := now()
	ref := fakegitlab.IssueRef(9) // confidential
	const title, text = "Marker title of a confidential issue", "Marker text of an internal note"
	s.gitlab.Edit(ref, func(c *fakegitlab.Common) { c.Title = title })
	s.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: text, Internal: true, Confidential: true})
	a := s.deliver(t, sample(t, "issue_confidential"))
	if r := s.ended(t, a.Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Fatalf("run %+v", r)
	}
	lines, err := devstack.Logs(t.Context(), s.Endpoints.AWSEndpointURL, began.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range lines {
		seen[line.Function] = true
		for what, secret := range map[string]string{
			"GitLab token": gitlabToken, "secret token": secretToken, "signing token": s.Endpoints.SigningToken, "title": title, "text": text,
		} {
			if strings.Contains(line.Text, secret) {
				t.Errorf("%s logged the %s: %.300s", line.Function, what, line.Text)
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("only the logs of %v were read: the test proves little", seen)
	}
}

// The trace crosses the gateway, SQS and Step Functions.
func TestOneQueryShowsTheWayOfADeliveryThroughAllFunctions(t *testing.T) {
	s := up(t)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	began := now()
	s.gitlab.AddDiscussion(fakegitlab.IssueRef(7), fakegitlab.Note{Body: "Something to do for every stage."})
	d := sample(t, "note_issue")
	d.header = map[string]string{"traceparent": trace}
	a := s.deliver(t, d)
	if r := s.ended(t, a.Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Fatalf("run %+v", r)
	}
	way := map[string][]string{}
	for _, line := range s.logs(t, began) {
		if line.fields["traceparent"] == trace {
			way[line.Function] = append(way[line.Function], line.fields["msg"].(string))
			if line.fields["run_id"] != a.Body.RunID {
				t.Errorf("a line of another run: %s", line.Text)
			}
		}
	}
	want := map[string][]string{
		"webhook": {"delivery"}, "worker": {"preflight", "committed", "workflow_started"},
		"docs": {"job_done", "stage_ended", "closed"},
	}
	if diff := cmp.Diff(want, way); diff != "" {
		t.Errorf("the way (-want +got):\n%s", diff)
	}
}

// The deployed functions log only JSON with the listed field names, and metrics
// that CloudWatch would accept.
func TestDeployedFunctionsWriteLinesAndMetricsOfTheLists(t *testing.T) {
	s := up(t)
	began := now()
	s.gitlab.AddDiscussion(fakegitlab.IssueRef(7), fakegitlab.Note{Body: "Something to count."})
	a := s.deliver(t, sample(t, "note_issue"))
	if r := s.ended(t, a.Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Fatalf("run %+v", r)
	}
	s.deliver(t, delivery{event: "Issue Hook", body: []byte("{}"), header: map[string]string{"webhook-signature": "", "webhook-id": ""}})
	told := map[string]bool{}
	for _, line := range s.logs(t, began) {
		if metricstest.Is(line.Text) {
			data, err := metricstest.Read([]byte(line.Text))
			if err != nil {
				t.Errorf("%s: %v: %s", line.Function, err, line.Text)
			}
			for _, d := range data {
				told[line.Function+" "+d.Name] = true
				if d.Namespace != "lorehook" {
					t.Errorf("%s reports %s with %s", line.Function, d.Name, d.Namespace)
				}
			}
			continue
		}
		for name := range line.fields {
			if logs.Fields()[name] == "" {
				t.Errorf("%s: %s is not in logs.Fields: %s", line.Function, name, line.Text)
			}
		}
	}
	for _, want := range []string{
		"webhook Deliveries", "webhook EnqueueLatency", "webhook RefusedSignatures", "worker QueueAge", "worker GitLabRequests", "worker PreflightDuration",
		"worker IngestDuration", "worker Freshness", "worker ContentWriteUnits", "docs DocumentsRegenerated", "docs ChunksEmbedded", "docs Runs",
	} {
		if !told[want] {
			t.Errorf("%s was not emitted; emitted were %q", want, slices.Sorted(maps.Keys(told)))
		}
	}
}

// logLine decodes a line of one of our functions; the emulator's own lines are
// skipped.
type logLine struct {
	devstack.LogLine
	fields map[string]any
}

func (s stack) logs(t *testing.T, since time.Time) (lines []logLine) {
	t.Helper()
	all, err := devstack.Logs(t.Context(), s.Endpoints.AWSEndpointURL, since)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range all {
		l := logLine{LogLine: line}
		if !strings.HasPrefix(line.Text, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line.Text), &l.fields); err != nil {
			t.Errorf("%s: %v: %s", line.Function, err, line.Text)
		}
		lines = append(lines, l)
	}
	return lines
}
