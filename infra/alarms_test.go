package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// watched is what an alarm looks at and when it goes off: so many of so many
// periods of so many seconds, at a threshold or above.
type watched struct {
	Metric                 string
	Stat                   string
	Seconds, Reach, Of, At float64
}

func TestEveryFaultThatNeedsSomebodyHasAnAlarm(t *testing.T) {
	want := map[string]watched{
		"lorehook-dead-letters":         {"AWS/SQS ApproximateNumberOfMessagesVisible QueueName=DeadLetters.QueueName", "Maximum", 60, 1, 1, 1},
		"lorehook-queue-age":            {"AWS/SQS ApproximateAgeOfOldestMessage QueueName=Requests.QueueName", "Maximum", 60, 5, 5, 600},
		"lorehook-queue-age-received":   {"lorehook QueueAge Queue=requests", "Maximum", 300, 2, 2, 600_000},
		"lorehook-queue-age-hides":      {"AWS/SQS ApproximateAgeOfOldestMessage QueueName=Hides.QueueName", "Maximum", 60, 2, 2, 60},
		"lorehook-sweeper-silent":       {"AWS/Lambda Invocations FunctionName=SweeperFunction", "Sum", 300, 3, 3, 1},
		"lorehook-crawler-silent":       {"AWS/Lambda Invocations FunctionName=CrawlerFunction", "Sum", 300, 3, 3, 1},
		"lorehook-feed-behind":          {"AWS/Lambda IteratorAge FunctionName=FeedFunction", "Maximum", 1800, 1, 1, 3_600_000},
		"lorehook-hooks-broken":         {"lorehook HooksBroken ", "Sum", 3600, 1, 2, 1},
		"lorehook-missed-events":        {"lorehook MissedEvents ", "Sum", 300, 2, 3, 1},
		"lorehook-reconcile-behind":     {"lorehook ReconcileAge ", "Maximum", 300, 1, 1, 3_600_000},
		"lorehook-freshness":            {"lorehook Freshness Origin=webhook", "p95", 300, 3, 6, 60_000},
		"lorehook-webhook-answers":      {"lorehook AnswersOtherThan2xx ", "Sum", 3600, 1, 1, 3},
		"lorehook-refused-signatures":   {"lorehook RefusedSignatures ", "Sum", 3600, 1, 1, 3},
		"lorehook-failed-runs":          {"lorehook Runs Status=failed", "Sum", 900, 1, 1, 3},
		"lorehook-executions-failed":    {"AWS/States ExecutionsFailed StateMachineArn=" + machineARN("lorehook"), "Sum", 3600, 1, 1, 3},
		"lorehook-executions-timed-out": {"AWS/States ExecutionsTimedOut StateMachineArn=" + machineARN("lorehook"), "Sum", 300, 1, 1, 1},
		"lorehook-secrets":              {"lorehook SecretFailures ", "Sum", 300, 1, 1, 1},
		"lorehook-gitlab-unauthorized":  {"lorehook GitLabUnauthorized ", "Sum", 300, 1, 1, 2},
		"lorehook-projects-unseen":      {"lorehook ProjectsUnseen ", "Sum", 900, 1, 1, 1},
		"lorehook-lambda-errors":        {"lorehook FailedInvocations ", "Sum", 300, 2, 3, 1},
		"lorehook-lambda-duration":      {"lorehook SlowInvocations ", "Sum", 300, 1, 1, 1},
		"lorehook-lambda-throttled":     {"lorehook StagesThrottled ", "Sum", 300, 1, 1, 1},
		"lorehook-throttled-tables":     {"lorehook TablesThrottled ", "Sum", 300, 1, 1, 10},
	}
	got := map[string]watched{}
	for _, a := range onAWS(t).ofType("AWS::CloudWatch::Alarm") {
		compares := "GreaterThanOrEqualToThreshold"
		if strings.HasSuffix(fmt.Sprint(a["AlarmName"]), "-silent") {
			compares = "LessThanThreshold"
		}
		if a["ComparisonOperator"] != compares {
			t.Errorf("%v compares by %v", a["AlarmName"], a["ComparisonOperator"])
		}
		if a["MetricName"] == nil {
			t.Errorf("%v looks at several metrics, each of which is paid for", a["AlarmName"])
			continue
		}
		w := watched{Metric: fmt.Sprintf("%v %v %s", a["Namespace"], a["MetricName"], dimensionsOf(a["Dimensions"]))}
		w.Stat, w.Seconds = fmt.Sprint(orNil(a["Statistic"], a["ExtendedStatistic"])), a["Period"].(float64)
		w.Reach, w.Of, w.At = a["DatapointsToAlarm"].(float64), a["EvaluationPeriods"].(float64), a["Threshold"].(float64)
		got[a["AlarmName"].(string)] = w
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

// GitLab counts failures in a row, however far apart: the fourth disables the
// hook, and from then on nothing comes that an alarm could count.
func TestAHookThatFailsOnceInTenMinutesIsNoticedBeforeGitLabDisablesIt(t *testing.T) {
	const disabledAfter, apart = 4, 600
	for _, id := range []string{"AlarmWebhookAnswers", "AlarmRefusedSignatures"} {
		a := onAWS(t).ofType("AWS::CloudWatch::Alarm")[id]
		at, seconds := a["Threshold"].(float64), a["Period"].(float64)
		if at >= disabledAfter || (at-1)*apart >= seconds {
			t.Errorf("%s needs %v failures within %v s", id, at, seconds)
		}
	}
}

func orNil(values ...any) any {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}

// dimensionsOf writes a template's dimensions as name=value, sorted.
func dimensionsOf(list any) string {
	var pairs []string
	for _, d := range objects(list) {
		pairs = append(pairs, fmt.Sprintf("%v=%v", d["Name"], d["Value"]))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

// Without data all is well: no metric of an alarm has any while nothing goes
// on, but for those of sweeper and crawler, which run at any time, and of the feed, whose
// stream has a record now and then. The default would leave an
// idle stack with alarms in no known state, and keep an alarm up that went off
// before the last event.
func TestMissingDataIsTakenForWellByEveryAlarmButThoseOfWhatAlwaysRuns(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for name, a := range s.ofType("AWS::CloudWatch::Alarm") {
			want := "notBreaching"
			if strings.HasSuffix(name, "Silent") || name == "AlarmFeedBehind" {
				want = "breaching"
			}
			if a["TreatMissingData"] != want {
				t.Errorf("%s takes missing data for %v", name, a["TreatMissingData"])
			}
		}
	})
}

// While the stream is read, every period of the alarm has a record: a beat, which the
// sweeper writes when it is due.
func TestFeedBehind_HasDataAsLongAsTheStreamIsRead(t *testing.T) {
	period := seconds(onAWS(t).ofType("AWS::CloudWatch::Alarm")["AlarmFeedBehind"]["Period"])
	if atMost := surgical.FeedBeat + surgical.SweepInterval + surgical.FeedWindow; period < 2*atMost || period > surgical.FeedGap/10 {
		t.Errorf("a period of %s, and %s from one record to the next", period, atMost)
	}
}

func TestAlarmsTellTheTopicThatIsNamedAndNobodyElse(t *testing.T) {
	const topic = "arn:aws:sns:eu-central-1:123456789012:team-a-alarms"
	for name, c := range map[string]struct {
		s    stackTemplate
		want []string
	}{"none": {onAWS(t), nil}, "one": {onOpenAI(t), []string{topic}}} {
		for id, a := range c.s.ofType("AWS::CloudWatch::Alarm") {
			for _, when := range []string{"AlarmActions", "OKActions"} {
				if got := texts(a[when]); !slices.Equal(got, c.want) {
					t.Errorf("%s: %s of %s are %v, want %v", name, when, id, got, c.want)
				}
			}
			if a["InsufficientDataActions"] != nil || a["ActionsEnabled"] == false {
				t.Errorf("%s: %s: %v", name, id, a)
			}
		}
	}
}

const runbooksDir = "../docs/runbooks"

// An alarm's runbook is the file of its name, or of its kind.
func TestEveryAlarmHasARunbookAndEveryRunbookAnAlarm(t *testing.T) {
	link := regexp.MustCompile(`https://\S+/([a-z-]+)\.md$`)
	used := map[string]bool{}
	for _, a := range onAWS(t).ofType("AWS::CloudWatch::Alarm") {
		name, description := a["AlarmName"].(string), a["AlarmDescription"].(string)
		found := link.FindStringSubmatch(description)
		if found == nil || len(description) > 1024 {
			t.Errorf("%s: %q links no runbook, or is too long", name, description)
			continue
		}
		used[found[1]] = true
		kind := strings.TrimPrefix(name, "lorehook-")
		if !strings.HasPrefix(kind, found[1]) {
			t.Errorf("%s has the runbook %s", name, found[1])
		}
		if !strings.HasPrefix(found[0], runbooks+"/") {
			t.Errorf("%s: the runbook is at %s", name, found[0])
		}
	}
	var files []string
	for _, path := range runbookFiles(t) {
		files = append(files, strings.TrimSuffix(filepath.Base(path), ".md"))
	}
	var linked []string
	for name := range used {
		linked = append(linked, name)
	}
	slices.Sort(linked)
	if diff := cmp.Diff(files, linked); diff != "" {
		t.Errorf("runbooks (-files +linked by alarms):\n%s", diff)
	}
	index := read(t, filepath.Join(runbooksDir, "README.md"))
	for _, name := range files {
		if !strings.Contains(index, "["+name+"]("+name+".md)") {
			t.Errorf("the list of runbooks lacks %s", name)
		}
	}
	if got := onOpenAI(t).ofType("AWS::CloudWatch::Alarm")["AlarmFreshness"]["AlarmDescription"].(string); !strings.HasSuffix(got, "https://wiki.example.com/runbooks/freshness.md") {
		t.Errorf("with runbooksUrl the description is %q", got)
	}
}

// runbookFiles are the runbooks, sorted.
func runbookFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(runbooksDir, "*.md"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d runbooks, %v", len(files), err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "README.md" })
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryRunbookSaysWhatItMeansHowToSeeItAndWhatToDo(t *testing.T) {
	for _, file := range runbookFiles(t) {
		text := read(t, file)
		at := 0
		for _, heading := range []string{"# ", "\n## What it means\n", "\n## How to see it\n", "\n## What to do\n"} {
			i := strings.Index(text[at:], heading)
			if i < 0 {
				t.Errorf("%s lacks %q, in this order", file, strings.TrimSpace(heading))
				break
			}
			at += i + len(heading)
		}
		if !strings.Contains(text, "```sh\n") || !strings.Contains(text, "lore ") {
			t.Errorf("%s has no commands of a shell, or none of lore", file)
		}
	}
}

// The numbers that runbooks name are the alarms'.
func TestTheListOfRunbooksNamesTheThresholds(t *testing.T) {
	index := read(t, filepath.Join(runbooksDir, "README.md"))
	for _, want := range []string{
		fmt.Sprintf("waited for %d minutes", queueAgeSeconds/60), fmt.Sprintf("waited for %d s", hideAgeSeconds), fmt.Sprintf("later than %d s", freshSeconds), fmt.Sprintf("more than %.0f%%", surgical.NearTheLimit*100),
	} {
		if !strings.Contains(index, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

// Every answer that GitLab takes for a failure is counted, also the gateway's.
func TestAnswersToWebhooksOtherThan2xxAreCountedFromTheAccessLog(t *testing.T) {
	want := map[string]any{
		"LogGroupName":  "AccessLogs",
		"FilterPattern": `{ ($.routeKey = "POST /webhooks/*") && ($.status != "2*") }`,
		"MetricTransformations": []any{map[string]any{
			"MetricNamespace": "lorehook", "MetricName": metrics.AnswersOtherThan2xx().Name, "MetricValue": "1", "Unit": "Count",
		}},
	}
	if diff := cmp.Diff(want, onAWS(t).ofType("AWS::Logs::MetricFilter")["AnswersOtherThan2xx"]); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
	routes := onAWS(t).ofType("AWS::ApiGatewayV2::Route")
	if !slices.ContainsFunc(mapValues(routes), func(r map[string]any) bool { return r["RouteKey"] == "POST /webhooks/gitlab" }) {
		t.Error("the filter's route is none of the API")
	}
}

func mapValues[K comparable, V any](m map[K]V) []V {
	var all []V
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// What failed is counted from lines that Lambda writes about every invocation that did, at
// every log level; a timeout counts as slow as well.
func TestFailedInvocationsAreCountedFromLambdasLines(t *testing.T) {
	filters := onAWS(t).ofType("AWS::Logs::MetricFilter")
	for _, id := range functionIDs() {
		for suffix, want := range map[string][2]string{
			"Failed":   {`{ ($.type = "platform.report") && ($.record.status != "success") }`, metrics.FailedInvocations().Name},
			"TimedOut": {`{ ($.type = "platform.report") && ($.record.status = "timeout") }`, metrics.SlowInvocations().Name},
		} {
			filter := filters[id+suffix]
			counted := objects(filter["MetricTransformations"])
			if filter["LogGroupName"] != id+"Logs" || filter["FilterPattern"] != want[0] || len(counted) != 1 ||
				counted[0]["MetricNamespace"] != "lorehook" || counted[0]["MetricName"] != want[1] || counted[0]["MetricValue"] != "1" {
				t.Errorf("%s%s: %v", id, suffix, filter)
			}
		}
	}
}

func TestTheLocalStackHasAllAlarms(t *testing.T) {
	local := onLocal(t).ofType("AWS::CloudWatch::Alarm")
	for name := range onAWS(t).ofType("AWS::CloudWatch::Alarm") {
		if local[name] == nil {
			t.Errorf("it lacks %s", name)
		}
	}
}

// The graph of run time is in percent of milliseconds.
func TestLongestInvocations_AreComparedWithTheTimeoutInTheirOwnUnit(t *testing.T) {
	body := fmt.Sprint(onAWS(t).ofType("AWS::CloudWatch::Dashboard"))
	for name, f := range onAWS(t).ofType("AWS::Lambda::Function") {
		if want := fmt.Sprintf("/%.0f", f["Timeout"].(float64)*1000); !strings.Contains(body, want) {
			t.Errorf("the dashboard does not divide the duration of %s by %s", name, want)
		}
	}
}

// A project counts what it missed once in each reconcile: with a fixed period, two of
// three would never be reached.
func TestMissedEvents_AreCountedOverTheTimeBetweenReconciles(t *testing.T) {
	for name, c := range map[string]struct {
		stack   stackTemplate
		seconds float64
	}{"lorehook-missed-events": {onAWS(t), 300}, "team-a-missed-events": {onOpenAI(t), 3600}} {
		found := false
		for _, a := range c.stack.ofType("AWS::CloudWatch::Alarm") {
			if a["AlarmName"] == name {
				found = a["Period"] == c.seconds && strings.Contains(fmt.Sprint(a["AlarmDescription"]), fmt.Sprintf("periods of %v minutes", c.seconds/60))
			}
		}
		if !found {
			t.Errorf("no %s with a period of %v s", name, c.seconds)
		}
	}
}

func TestReconcileBehind_AllowsThreeReconciles(t *testing.T) {
	for name, c := range map[string]struct {
		stack stackTemplate
		hours float64
	}{"lorehook-reconcile-behind": {onAWS(t), 1}, "team-a-reconcile-behind": {onOpenAI(t), 3}} {
		found := false
		for _, a := range c.stack.ofType("AWS::CloudWatch::Alarm") {
			if a["AlarmName"] == name {
				found = a["Threshold"] == c.hours*3_600_000 && strings.Contains(fmt.Sprint(a["AlarmDescription"]), fmt.Sprintf("more than %v minutes", 60*c.hours))
			}
		}
		if !found {
			t.Errorf("no %s after %v h", name, c.hours)
		}
	}
}
