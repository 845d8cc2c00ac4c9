package main

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/infra/prices"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Lines that AWS adds for each function and its gateway, in the format of its
// documentation, with values of typical length.
const (
	platformStart  = `{"time":"2026-05-28T07:00:00.123Z","type":"platform.start","record":{"requestId":"6d68ca91-49c9-448d-89b8-7ca3e6dc66aa","version":"$LATEST","tracing":{"spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"}}}`
	platformReport = `{"time":"2026-05-28T07:00:00.323Z","type":"platform.report","record":{"requestId":"6d68ca91-49c9-448d-89b8-7ca3e6dc66aa","metrics":{"durationMs":101.51,"billedDurationMs":102,"memorySizeMB":512,"maxMemoryUsedMB":61},"tracing":{"spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"},"status":"success"}}`
	accessLine     = `{"error":"-","integrationError":"-","ip":"34.74.226.1","latency":"23","requestId":"JKJaXmPLvHcESHA=","requestTime":"28/May/2026:07:00:00 +0000","responseLength":"118","routeKey":"POST /webhooks/gitlab","status":"202"}`
	// perLine is the overhead in bytes that CloudWatch Logs bills per event.
	perLine = 26
	// invocations of a change: webhook, worker, docs, embed, finish.
	invocations = 5
	// traces of a change: the webhook's, and the worker's with its workflow.
	traces = 2
)

// output counts lines and bytes of logs and of metrics.
type output struct{ logLines, logBytes, metricLines, metricBytes float64 }

func sizeOf(line string) float64 { return float64(len(line) + perLine) }

func sizesOf(lines []string) (o output) {
	for _, line := range lines {
		if strings.Contains(line, `"_aws"`) {
			o.metricLines, o.metricBytes = o.metricLines+1, o.metricBytes+sizeOf(line)
		} else {
			o.logLines, o.logBytes = o.logLines+1, o.logBytes+sizeOf(line)
		}
	}
	return o
}

// watching measures the cost of an event's metrics, logs and traces.
func (b *bench) watching() {
	const token = "sample-token"
	hook := &webhook.Handler{
		Verifiers: secret.NewSource(func(context.Context) (*delivery.Verifier, error) {
			return delivery.NewVerifier(nil, []string{token})
		}, b.world.Clock.Now),
		Queue: b.world.ToRequests, Hides: b.world.ToHides,
		Allows: func(int64) bool { return true }, Clock: b.world.Clock.Now,
		Log: b.world.Logger(), Meter: b.world.Meter(), NewTrace: trace.Source(rand.Reader),
	}
	deliver := func(name string) {
		sample, err := events.Named(name)
		if err != nil {
			b.world.T.Fatal(err)
		}
		_, _ = gateway.Adapt(hook)(b.world.T.Context(), awsevents.APIGatewayV2HTTPRequest{RawPath: delivery.Path, Body: string(sample.Body), Headers: map[string]string{
			"x-gitlab-event": sample.Event, "x-gitlab-token": token, "idempotency-key": rand.Text() + rand.Text()[:10],
		}}) // it has a response for every failure
	}
	work := func() {
		b.world.Clock.Advance(10 * time.Second)
		if response, err := b.world.Batch(nil).Handle(b.world.T.Context(), b.world.Sent()); err != nil || len(response.BatchItemFailures) > 0 {
			b.world.T.Fatalf("the worker left %v, error %v", response.BatchItemFailures, err)
		}
		b.world.Drive()
	}
	b.world.GitLab.AddDiscussion(fakegitlab.IssueRef(7), fakegitlab.Note{Body: "One more comment."})
	b.world.Output.Take()
	deliver("note_issue")
	work()
	b.price(sizesOf(b.world.Output.Take()))
}

// price converts the output of a change to dollars.
func (b *bench) price(change output) {
	b.add("a change: lines of the functions' logs", change.logLines, "lines", 10)
	b.add("a change: the functions' logs", change.logBytes, "bytes", 3200)
	b.add("a change: lines of metrics", change.metricLines, "lines", 9)
	b.add("a change: metrics", change.metricBytes, "bytes", 2900)
	access, platform := sizeOf(accessLine), invocations*(sizeOf(platformStart)+sizeOf(platformReport))
	b.add("a change: the gateway's access log", access, "bytes", 0)
	b.add("a change: Lambda's own lines (5 invocations)", platform, "bytes", 0)

	const million = "$ a million"
	gigabytes := func(bytes float64) float64 { return bytes * 1e6 / 1e9 }
	b.add("a million changes: the functions' logs", gigabytes(change.logBytes)*prices.LogsIngestedGB, million, 0)
	b.add("a million changes: metrics, written as log lines", gigabytes(change.metricBytes)*prices.LogsIngestedGB, million, 0)
	b.add("a million changes: access log", gigabytes(access)*prices.LogsIngestedGB, million, 0)
	b.add("a million changes: Lambda's own lines", gigabytes(platform)*prices.LogsIngestedGB, million, 0)
	all := gigabytes(change.logBytes + change.metricBytes + access + platform)
	b.add("a million changes: stored for 30 days, compressed", all*prices.LogsCompression*prices.LogsStoredGBMonth, million, 0)
	b.add("a million changes: everything, ingested and stored", all*(prices.LogsIngestedGB+prices.LogsCompression*prices.LogsStoredGBMonth), million, 6)
	b.add("one query of the logs of a million changes", all*prices.LogsScannedGB, "$ a query", 0)
	b.add("a million changes: traces, if all came in bursts", 1e6*traces*prices.TracesSampled*prices.TraceRecorded, million, 0)
	b.add("a million changes: traces, if none came within a second of another", 1e6*traces*prices.TraceRecorded, million, 0)
	b.add("metrics at most (every dimension in use each hour)", float64(mostMetrics()), "metrics", 84)
	b.add("metrics at most", float64(mostMetrics())*prices.MetricMonth, "$ a month", 0)
}

// mostMetrics is the number of metrics if every dimension takes all of its
// values.
func mostMetrics() (n int) {
	for _, m := range metrics.All() {
		for _, set := range m.Sets {
			combinations := 1
			for _, d := range set {
				combinations *= len(d.Values())
			}
			n += combinations
		}
	}
	return n
}
