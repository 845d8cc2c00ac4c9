package main

import (
	"fmt"
	"strings"
	"testing"
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
		for _, want := range []string{"(" + costPage + ")", "The current hour is still incomplete", "KMS", "everything that the account embeds"} {
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
