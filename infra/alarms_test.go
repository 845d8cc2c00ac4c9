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

	"gitlab.com/lorehook/lorehook/infra/prices"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/tables"
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
		"lorehook-feed-behind":          {"AWS/Lambda IteratorAge FunctionName=FeedFunction", "Maximum", 300, 1, 1, 3_600_000},
		"lorehook-hooks-broken":         {"lorehook HooksBroken ", "Sum", 3600, 1, 2, 1},
		"lorehook-missed-events":        {"lorehook MissedEvents ", "Sum", 300, 2, 3, 1},
		"lorehook-freshness":            {"lorehook Freshness Origin=webhook", "p95", 300, 3, 6, 60_000},
		"lorehook-webhook-answers":      {"lorehook AnswersOtherThan2xx ", "Sum", 3600, 1, 1, 3},
		"lorehook-refused-signatures":   {"lorehook RefusedSignatures ", "Sum", 3600, 1, 1, 3},
		"lorehook-failed-runs":          {"lorehook Runs Status=failed", "Sum", 900, 1, 1, 3},
		"lorehook-executions-failed":    {"AWS/States ExecutionsFailed StateMachineArn=" + machineARN("lorehook"), "Sum", 3600, 1, 1, 3},
		"lorehook-executions-timed-out": {"AWS/States ExecutionsTimedOut StateMachineArn=" + machineARN("lorehook"), "Sum", 300, 1, 1, 1},
		"lorehook-secrets":              {"lorehook SecretFailures ", "Sum", 300, 1, 1, 1},
		"lorehook-gitlab-unauthorized":  {"lorehook GitLabUnauthorized ", "Sum", 300, 1, 1, 2},
		"lorehook-projects-unseen":      {"lorehook ProjectsUnseen ", "Sum", 900, 1, 1, 1},
	}
	timeouts := map[string]float64{}
	for name, f := range onAWS(t).ofType("AWS::Lambda::Function") {
		timeouts[strings.TrimSuffix(name, "Function")], _ = f["Timeout"].(float64)
	}
	for _, id := range functionIDs() {
		name, function := strings.ToLower(id), " FunctionName="+id+"Function"
		want["lorehook-lambda-errors-"+name] = watched{"AWS/Lambda Errors" + function, "Sum", 300, 2, 3, 1}
		want["lorehook-lambda-throttled-"+name] = watched{"AWS/Lambda Throttles" + function, "Sum", 300, 2, 3, 1}
		want["lorehook-lambda-duration-"+name] = watched{"AWS/Lambda Duration" + function, "Maximum", 300, 1, 1, 850 * timeouts[id]}
	}
	for _, table := range tables.All() {
		want["lorehook-throttled-"+strings.ReplaceAll(table.Name, "_", "-")] = watched{"expression", "", 300, 1, 1, 10}
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
		w := watched{Metric: "expression", Seconds: 300}
		if a["MetricName"] != nil {
			w.Metric = fmt.Sprintf("%v %v %s", a["Namespace"], a["MetricName"], dimensionsOf(a["Dimensions"]))
			w.Stat, w.Seconds = fmt.Sprint(orNil(a["Statistic"], a["ExtendedStatistic"])), a["Period"].(float64)
		}
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

// Reads and writes, of the table and of each of its indexes, which DynamoDB
// counts apart.
func TestAThrottledIndexIsSeenToo(t *testing.T) {
	alarms := onAWS(t).ofType("AWS::CloudWatch::Alarm")
	for _, table := range tables.All() {
		want := map[string]bool{}
		for _, name := range []string{"ReadThrottleEvents", "WriteThrottleEvents"} {
			want["AWS/DynamoDB "+name+" TableName="+pascal(table.Name)] = true
			for _, index := range table.Indexes {
				want["AWS/DynamoDB "+name+" GlobalSecondaryIndexName="+index.Name+",TableName="+pascal(table.Name)] = true
			}
		}
		got := map[string]bool{}
		sums := 0
		queries := objects(alarms["AlarmThrottled"+pascal(table.Name)]["Metrics"])
		for _, q := range queries {
			if q["Expression"] != nil {
				sums = strings.Count(q["Expression"].(string), "FILL(m")
				continue
			}
			stat := q["MetricStat"].(map[string]any)
			m := stat["Metric"].(map[string]any)
			got[fmt.Sprintf("%v %v %s", m["Namespace"], m["MetricName"], dimensionsOf(m["Dimensions"]))] = true
		}
		if diff := cmp.Diff(want, got); diff != "" || sums != len(want) {
			t.Errorf("%s: %d are added up, metrics (-want +got):\n%s", table.Name, sums, diff)
		}
		// CloudWatch refuses an alarm on more than ten metrics.
		if len(got) > 10 {
			t.Errorf("%s: the alarm has %d metrics", table.Name, len(got))
		}
	}
}

// Without data all is well: no metric of an alarm has any while nothing goes
// on, but for those of sweeper and crawler, which run at any time. The default would leave an
// idle stack with alarms in no known state, and keep an alarm up that went off
// before the last event.
func TestMissingDataIsTakenForWellByEveryAlarmButThoseOnSilence(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for name, a := range s.ofType("AWS::CloudWatch::Alarm") {
			want := "notBreaching"
			if strings.HasSuffix(name, "Silent") {
				want = "breaching"
			}
			if a["TreatMissingData"] != want {
				t.Errorf("%s takes missing data for %v", name, a["TreatMissingData"])
			}
		}
	})
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
		if !strings.HasPrefix(kind, found[1]) && found[1] != "throttled-tables" {
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
		fmt.Sprintf("waited for %d minutes", queueAgeSeconds/60), fmt.Sprintf("waited for %d s", hideAgeSeconds), fmt.Sprintf("later than %d s", freshSeconds), fmt.Sprintf("more than %.0f%%", nearTheLimit*100),
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

// Its emulator takes no alarm on an expression; everything else is as on AWS.
func TestTheLocalStackLacksTheAlarmsOnThrottlingAlone(t *testing.T) {
	var missing []string
	local := onLocal(t).ofType("AWS::CloudWatch::Alarm")
	for name := range onAWS(t).ofType("AWS::CloudWatch::Alarm") {
		if local[name] == nil && !strings.HasPrefix(name, "AlarmThrottled") {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 || len(local) == 0 {
		t.Errorf("%d alarms, without %v", len(local), missing)
	}
}

// metricsAtMost counts the metrics that are paid for if every dimension takes every
// value in an hour.
func metricsAtMost() int {
	n := 0
	for _, m := range metrics.All() {
		for _, set := range m.Sets {
			combinations := 1
			for _, dimension := range set {
				combinations *= len(dimension.Values())
			}
			n += combinations
		}
	}
	return n
}

// docs/cost.md counts the metrics, those that alarms look at, which is what they
// cost, and the dashboard's queries.
func TestTheCostOfMonitoringIsAsDocumented(t *testing.T) {
	n := 0
	for _, a := range onAWS(t).ofType("AWS::CloudWatch::Alarm") {
		looked := 0
		for _, q := range objects(a["Metrics"]) {
			if q["MetricStat"] != nil {
				looked++
			}
		}
		n += max(looked, 1)
	}
	queries := 0
	for _, w := range dashboard(t, onAWS(t)) {
		if w.Type == "log" {
			queries++
		}
	}
	text := read(t, "../docs/cost.md")
	for _, want := range []string{
		fmt.Sprintf("| metrics at most: every dimension takes every value in every hour | %d | %.2f |", metricsAtMost(), float64(metricsAtMost())*prices.MetricMonth),
		fmt.Sprintf("| alarms, by the metrics that they look at | %d | %.2f |", n, float64(n)*prices.AlarmMetricMonth),
		fmt.Sprintf("| the dashboard | %d | %.2f |", len(onAWS(t).ofType("AWS::CloudWatch::Dashboard")), prices.DashboardMonth),
		fmt.Sprintf("own %s queries", []string{"no", "one", "two", "three", "four", "five", "six", "seven"}[queries]),
		fmt.Sprintf("a metric $%.2f, an alarm's metric $%.2f, a dashboard $%.0f", prices.MetricMonth, prices.AlarmMetricMonth, prices.DashboardMonth),
		fmt.Sprintf("a million write units $%.3f, read units $%.3f, requests to FIFO queues $%.2f, requests to Lambda $%.2f and to express workflows $%.2f", prices.WriteUnit*1e6, prices.ReadUnit*1e6, prices.FIFORequest*1e6, prices.LambdaRequest*1e6, prices.ExpressRequest*1e6),
		fmt.Sprintf("a GB-second of Lambda $%.10f and of express workflows $%.8f", prices.LambdaGBSecond, prices.ExpressGBSecond),
		fmt.Sprintf("a GB ingested $%.2f, kept for a month $%.2f; a trace recorded $%.6f", prices.LogsIngestedGB, prices.LogsStoredGBMonth, prices.TraceRecorded),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("docs/cost.md does not say %q", want)
		}
	}
}

// The alarm says it in seconds, the graph of run time in percent of milliseconds.
func TestLambdaDuration_IsComparedWithTheTimeoutInItsOwnUnit(t *testing.T) {
	limit := map[string]any{}
	for name, f := range onAWS(t).ofType("AWS::Lambda::Function") {
		limit[strings.ToLower(strings.TrimSuffix(name, "Function"))] = f["Timeout"]
	}
	for _, a := range onAWS(t).ofType("AWS::CloudWatch::Alarm") {
		function, ok := strings.CutPrefix(fmt.Sprint(a["AlarmName"]), "lorehook-lambda-duration-")
		if !ok {
			continue
		}
		if want := fmt.Sprintf("of its %v s timeout", limit[function]); !strings.Contains(fmt.Sprint(a["AlarmDescription"]), want) {
			t.Errorf("the description of %s does not say %q: %v", function, want, a["AlarmDescription"])
		}
	}
	body := fmt.Sprint(onAWS(t).ofType("AWS::CloudWatch::Dashboard"))
	for _, id := range functionIDs() {
		if want := fmt.Sprintf("/%.0f", limit[strings.ToLower(id)].(float64)*1000); !strings.Contains(body, want) {
			t.Errorf("the dashboard does not divide the duration of %s by %s", id, want)
		}
	}
}
