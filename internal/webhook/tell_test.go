package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/linked"
)

const (
	theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ours   = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"
)

// told is what a meter receives for one delivery.
type told struct {
	Outcome string
	Code    surgical.Code
	Took    time.Duration
}

type meter struct{ heard []told }

func (m *meter) Delivered(outcome string, code surgical.Code, took time.Duration) {
	m.heard = append(m.heard, told{outcome, code, took})
}

func TestTheMeterHearsOfEveryDelivery(t *testing.T) {
	f := newFixture()
	heard := &meter{}
	f.Meter = heard
	f.Clock = func() time.Time { f.now = f.now.Add(time.Millisecond); return f.now }
	f.answer(t, sample(t, "issue_opened"))
	f.answer(t, sample(t, "push"))
	f.answer(t, sample(t, "issue_opened", "x-gitlab-token", "wrong-token"))
	f.answer(t, request("Issue Hook", "no JSON"))
	f.queue.err = surgical.NewError(surgical.CodeQueueUnavailable, "away")
	f.answer(t, sample(t, "issue_opened"))
	want := []told{
		{Outcome: "queued"}, {Outcome: "ignored"}, {Outcome: "refused", Code: surgical.CodeInvalidSignature},
		{Outcome: "refused", Code: surgical.CodeInvalidRequest}, {Outcome: "failed", Code: surgical.CodeQueueUnavailable},
	}
	for i, h := range heard.heard {
		if h.Took <= 0 || h.Took > time.Second {
			t.Errorf("delivery %d took %s", i, h.Took)
		}
	}
	if diff := cmp.Diff(want, heard.heard, cmpopts.IgnoreFields(told{}, "Took")); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// A verified sender's trace is continued; otherwise a new one begins.
func TestTheTraceOfADeliveryReachesTheQueueAndTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		headers      []string
		trace        string // in the log
		queued, fail bool
	}{
		"theirs":          {[]string{"traceparent", theirs}, theirs, true, false},
		"none":            {nil, ours, true, false},
		"nonsense":        {[]string{"traceparent", "00-x"}, ours, true, false},
		"of a stranger":   {[]string{"traceparent", theirs, "x-gitlab-token", "wrong-token"}, ours, false, false},
		"the queue fails": {[]string{"traceparent", theirs}, theirs, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.Log = logs.New(f.log, slog.LevelInfo)
			f.NewTrace = func(context.Context) string { return ours }
			if c.fail {
				f.queue.err = errors.New("away")
			}
			f.answer(t, sample(t, "issue_opened", c.headers...))
			var line map[string]any
			if err := json.Unmarshal(f.log.Bytes(), &line); err != nil {
				t.Fatalf("%v: %s", err, f.log)
			}
			if line["traceparent"] != c.trace {
				t.Errorf("the log says %v, want %s", line["traceparent"], c.trace)
			}
			if (len(f.queue.taken) == 1) != c.queued || c.queued && f.queue.taken[0].TraceParent != c.trace {
				t.Errorf("queued: %+v", f.queue.taken)
			}
			if known := line["run_id"] != nil; known != (c.queued || c.fail) {
				t.Errorf("the run is %v", line["run_id"])
			}
		})
	}
}

// A tracing SDK would slow every cold start. These are the only modules in the
// webhook's binary apart from the standard library and its own packages:
func TestTheWebhooksBinaryHoldsNoTracingSDK(t *testing.T) {
	packages := linked.Packages(t, "gitlab.com/lorehook/lorehook/functions/webhook")
	allowed := []string{
		"gitlab.com/lorehook/lorehook/",
		"github.com/aws/aws-lambda-go/",
		"github.com/aws/aws-sdk-go-v2/", // SQS, Secrets Manager, and what they share
		"github.com/aws/smithy-go",
		"github.com/caarlos0/env/",
		"github.com/standard-webhooks/standard-webhooks/libraries/",
	}
	for _, p := range packages {
		if !slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(p, prefix) }) {
			t.Errorf("%s is part of the webhook's binary", p)
		}
		for _, name := range []string{"opentelemetry", "xray", "otel", "datadog", "service/cloudwatch", "service/dynamodb", "client-go"} {
			if strings.Contains(p, name) {
				t.Errorf("%s is part of the webhook's binary", p)
			}
		}
	}
	if len(packages) < 20 {
		t.Errorf("only %d packages were found: the test shows little", len(packages))
	}
}
