package main

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// perLine is the overhead in bytes that CloudWatch Logs bills per event.
const perLine = 26

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

// watching measures the size of a change's metrics and logs.
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
	change := sizesOf(b.world.Output.Take())
	b.add("a change: lines of the functions' logs", change.logLines, "lines", 10)
	b.add("a change: the functions' logs", change.logBytes, "bytes", 3200)
	b.add("a change: lines of metrics", change.metricLines, "lines", 9)
	b.add("a change: metrics", change.metricBytes, "bytes", 2900)
}
