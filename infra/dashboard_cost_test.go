package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/infra/access"
	"gitlab.com/lorehook/lorehook/infra/prices"
)

// The estimate counts every log group: the functions', the gateway's and the
// workflow's.
func TestTheEstimateOfLogsCountsEveryLogGroup(t *testing.T) {
	shown := seriesOf(t, "Estimated cost per hour")
	for group := range onAWS(t).ofType("AWS::Logs::LogGroup") {
		if !shown["IncomingBytes LogGroupName="+group] {
			t.Errorf("it lacks %s", group)
		}
	}
}

func TestTheQuestionOfCostSaysWhatTheEstimateLacksAndLinksTheFigures(t *testing.T) {
	if want := strings.TrimSuffix(runbooks, "/runbooks") + "/cost.md"; costPage != want {
		t.Errorf("the link leads to %s, want %s", costPage, want)
	}
	for _, w := range dashboard(t, onAWS(t)) {
		if w.name() != "What does it cost?" {
			continue
		}
		for _, want := range []string{"(" + costPage + ")", "The current hour is still incomplete", "Not included: stored data", "log queries", "all that the account embeds"} {
			if !strings.Contains(w.Properties.Markdown, want) {
				t.Errorf("it does not say %q: %s", want, w.Properties.Markdown)
			}
		}
		return
	}
	t.Error("there is no such question")
}

// Every part of the stack that AWS charges for by use and has a metric about.
func TestTheEstimateOfCostsIsOfEverythingThatHasAMetric(t *testing.T) {
	shown := seriesOf(t, "Estimated cost per hour")
	want := []string{"InputTokenCount ModelId=" + titan, "Count ApiId=HttpApi"}
	for _, id := range functionIDs() {
		want = append(want, "Duration FunctionName="+id+"Function", "Invocations FunctionName="+id+"Function")
	}
	for id := range onAWS(t).ofType("AWS::SQS::Queue") {
		for _, name := range []string{"NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted", "NumberOfEmptyReceives"} {
			want = append(want, name+" QueueName="+id+".QueueName")
		}
	}
	for _, w := range want {
		if !shown[w] {
			t.Errorf("it lacks %s", w)
		}
	}
	ours := 0
	for _, w := range dashboard(t, onAWS(t)) {
		for _, p := range w.points() {
			if w.name() == "Estimated cost per hour" && strings.HasPrefix(p.metric, "lorehook ") {
				ours++
			}
		}
	}
	if ours != metricsAtMost() {
		t.Errorf("it counts %d custom metrics, there are %d", ours, metricsAtMost())
	}
}

// What has no metric is estimated from what make cost counts.
func TestTheEstimatesWithoutMetricsAreAsCounted(t *testing.T) {
	_, counts := calculated(t)
	batch := counts.Changes[0].Functions
	of := func(kind string) float64 {
		return (batch["indexer"].Calls[kind] + batch["builder"].Calls[kind]) / batch["feed"].Invocations
	}
	counted := []float64{of("s3"), of("s3-get"), counts.Idle.Functions["indexer"].Calls["s3-get"]}
	if diff := cmp.Diff([]float64{batchPuts, batchGets, idleGets}, counted, cmpopts.EquateApprox(0, 0.005)); diff != "" {
		t.Errorf("PUTs and GETs of a batch, GETs of an idle hour (-estimated +counted):\n%s", diff)
	}
	kept := 1000.0 / (1 << 30) * (counts.First.Bytes*(prices.TableGBMonth+prices.RecoveryGBMonth) + counts.First.Index*prices.ObjectGBMonth)
	if fmt.Sprintf("%.2f", kept) != fmt.Sprintf("%.2f", thousandCopies) {
		t.Errorf("1,000 copies cost $%.4f a month to keep, the dashboard says $%.2f", kept, thousandCopies)
	}
	var atMost float64
	for name, used := range counts.Idle.Functions {
		may := access.Functions()[name]
		atMost += min(used.Invocations, keysOfHour) * float64(len(may.Tables)+len(may.Streams))
	}
	if counted := keysOfHour * counts.Idle.Keys; counted > atMost {
		t.Errorf("an idle hour has %v requests to KMS, the dashboard estimates at most %v", counted, atMost)
	}
}

func TestTheEstimatesHaveAllThatIsPaidFor(t *testing.T) {
	var got []string
	for _, w := range dashboard(t, onAWS(t)) {
		if w.name() != "Estimated cost per hour" {
			continue
		}
		for _, m := range w.Properties.Metrics {
			if options := m[len(m)-1].(map[string]any); options["expression"] != nil {
				got = append(got, options["label"].(string))
			}
		}
	}
	want := []string{
		"DynamoDB", "Lambda", "logs", "custom metrics", "SQS, polling included", "Step Functions", "API Gateway", "Bedrock", "KMS, at most", "readings of secrets", "S3",
		"traces, at most", "alarms, dashboard, secrets",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("estimates (-want +got):\n%s", diff)
	}
}

// What is the same in every hour: the alarms, the secrets and the dashboard.
func TestTheEstimateOfCostsHasWhatIsPaidForInEveryHour(t *testing.T) {
	stack, _ := calculated(t)
	want := fmt.Sprintf("TIME_SERIES(%.6f)", (0.10*float64(stack.AlarmMetrics)+0.40*float64(stack.Secrets)+3*float64(stack.Dashboards))/730)
	for _, w := range dashboard(t, onAWS(t)) {
		for _, p := range w.points() {
			if p.expression == want {
				return
			}
		}
	}
	t.Errorf("there is no %s", want)
}
