package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// widget is one widget of a dashboard.
type widget struct {
	Type          string
	X, Y          int
	Width, Height int
	Properties    struct {
		Title    string
		Markdown string
		Query    string
		Alarms   []string
		YAxis    struct{ Left struct{ Label string } }
		Metrics  [][]any
	}
}

func (w widget) name() string {
	heading, _, _ := strings.Cut(strings.TrimPrefix(w.Properties.Markdown, "## "), "\n")
	return w.Properties.Title + heading
}

// dashboard is the one dashboard of a template.
func dashboard(t *testing.T, s stackTemplate) (widgets []widget) {
	t.Helper()
	all := s.ofType("AWS::CloudWatch::Dashboard")
	if len(all) != 1 {
		t.Fatalf("%d dashboards", len(all))
	}
	body, _ := all["Dashboard"]["DashboardBody"].(string)
	var d struct{ Widgets []widget }
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatalf("the body is no JSON: %v\n%s", err, body)
	}
	return d.Widgets
}

// Alarms on top, then an operator's questions, the most urgent first.
func TestTheDashboardAnswersItsQuestionsInOrder(t *testing.T) {
	want := []string{"Alarms", "Is anything lost?", "Which runs fail?", "Are we fresh?", "Does GitLab answer?", "Do functions and tables keep up?", "What does it cost?"}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		widgets := dashboard(t, s)
		slices.SortStableFunc(widgets, func(a, b widget) int { return a.Y - b.Y })
		var got []string
		for i, w := range widgets {
			if w.Type == "text" || w.Type == "alarm" {
				got = append(got, w.name())
				if w.X != 0 || w.Width != 24 {
					t.Errorf("%s is not as wide as the dashboard", w.name())
				}
				if w.Type == "text" && (i+1 == len(widgets) || widgets[i+1].Type != "metric") {
					t.Errorf("%s has no answer", w.name())
				}
			}
			if w.Properties.Title == "" && w.Type != "text" {
				t.Errorf("a %s without a title", w.Type)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sections (-want +got):\n%s", diff)
		}
	})
}

func TestNoTwoWidgetsLieOnEachOther(t *testing.T) {
	taken := map[[2]int]string{}
	for _, w := range dashboard(t, onAWS(t)) {
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if x >= 24 || taken[[2]int{x, y}] != "" {
					t.Fatalf("%s lies on %q at %d, %d", w.name(), taken[[2]int{x, y}], x, y)
				}
				taken[[2]int{x, y}] = w.name()
			}
		}
	}
}

func TestTheDashboardShowsEveryAlarmAndLinksEveryRunbook(t *testing.T) {
	s := onAWS(t)
	var shown []string
	var text strings.Builder
	for _, w := range dashboard(t, s) {
		for _, alarm := range w.Properties.Alarms {
			shown = append(shown, strings.TrimSuffix(alarm, ".Arn"))
		}
		text.WriteString(w.Properties.Markdown)
	}
	slices.Sort(shown)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(s.ofType("AWS::CloudWatch::Alarm"))), shown); diff != "" {
		t.Errorf("alarms (-of the template +shown):\n%s", diff)
	}
	for _, file := range runbookFiles(t) {
		name := strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".md")
		if !strings.Contains(text.String(), fmt.Sprintf("[%s](%s/%s.md)", name, runbooks, name)) {
			t.Errorf("the runbook %s is linked by no section", name)
		}
	}
}

// awsMetrics are the metrics of AWS's own that may be looked at, with their
// dimensions, as its documentation lists them.
func awsMetrics() map[string][]string {
	table, index := "TableName", "GlobalSecondaryIndexName,TableName"
	return map[string][]string{
		"AWS/SQS ApproximateNumberOfMessagesVisible": {"QueueName"},
		"AWS/SQS ApproximateAgeOfOldestMessage":      {"QueueName"},
		"AWS/Lambda Errors":                          {"FunctionName"},
		"AWS/Lambda Duration":                        {"FunctionName"},
		"AWS/Lambda Invocations":                     {"FunctionName"},
		"AWS/Lambda IteratorAge":                     {"FunctionName"},
		"AWS/Lambda Throttles":                       {"FunctionName"},
		"AWS/States ExecutionsFailed":                {"StateMachineArn"},
		"AWS/States ExecutionsTimedOut":              {"StateMachineArn"},
		"AWS/States ExecutionsStarted":               {"StateMachineArn"},
		"AWS/States ExpressExecutionBilledDuration":  {"StateMachineArn"},
		"AWS/SQS NumberOfMessagesSent":               {"QueueName"},
		"AWS/SQS NumberOfMessagesReceived":           {"QueueName"},
		"AWS/SQS NumberOfMessagesDeleted":            {"QueueName"},
		"AWS/SQS NumberOfEmptyReceives":              {"QueueName"},
		"AWS/ApiGateway Count":                       {"ApiId"},
		"AWS/Bedrock InputTokenCount":                {"ModelId"},
		"AWS/DynamoDB ReadThrottleEvents":            {table, index},
		"AWS/DynamoDB WriteThrottleEvents":           {table, index},
		"AWS/DynamoDB ConsumedWriteCapacityUnits":    {table, index},
		"AWS/DynamoDB ConsumedReadCapacityUnits":     {table, index},
		"AWS/Logs IncomingBytes":                     {"LogGroupName"},
	}
}

// checkMetric checks that somebody emits the metric under these dimensions.
func checkMetric(t *testing.T, where, namespace, name string, dimensions []string) {
	t.Helper()
	slices.Sort(dimensions)
	key := strings.Join(dimensions, ",")
	if strings.HasPrefix(namespace, "AWS/") {
		if !slices.Contains(awsMetrics()[namespace+" "+name], key) {
			t.Errorf("%s: AWS has no metric %s %s by %q", where, namespace, name, key)
		}
		return
	}
	for _, m := range metrics.All() {
		for _, set := range m.Sets {
			var names []string
			for _, d := range set {
				names = append(names, string(d))
			}
			slices.Sort(names)
			if m.Name == name && strings.Join(names, ",") == key {
				return
			}
		}
	}
	t.Errorf("%s: nothing emits %s by %q", where, name, key)
}

// The list of metrics is what the code emits (test/suites/invariants holds it to
// that), so a name or dimension that is not in it has no data, ever.
func TestEveryMetricOfAWidgetOrAlarmIsEmitted(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		namespaces := map[string]bool{}
		for _, w := range dashboard(t, s) {
			for _, m := range w.Properties.Metrics {
				if _, isExpression := m[0].(map[string]any); isExpression {
					continue
				}
				var dimensions []string
				for i := 2; i+1 < len(m); i += 2 {
					dimensions = append(dimensions, m[i].(string))
				}
				namespaces[m[0].(string)] = true
				checkMetric(t, w.name(), m[0].(string), m[1].(string), dimensions)
			}
		}
		for name, a := range s.ofType("AWS::CloudWatch::Alarm") {
			all := []map[string]any{a}
			for _, q := range objects(a["Metrics"]) {
				if stat, ok := q["MetricStat"].(map[string]any); ok {
					all = append(all, stat["Metric"].(map[string]any))
				}
			}
			for _, m := range all {
				if m["MetricName"] == nil {
					continue
				}
				var dimensions []string
				for _, d := range objects(m["Dimensions"]) {
					dimensions = append(dimensions, d["Name"].(string))
				}
				namespaces[m["Namespace"].(string)] = true
				checkMetric(t, name, m["Namespace"].(string), m["MetricName"].(string), dimensions)
			}
		}
		// Functions and filters publish their metrics under the name of the stack.
		own := "lorehook"
		if strings.HasSuffix(t.Name(), "/openai") {
			own = "team-a"
		}
		want := []string{"AWS/ApiGateway", "AWS/DynamoDB", "AWS/Lambda", "AWS/Logs", "AWS/SQS", "AWS/States", own}
		if environment(s, "Embed")["LOREHOOK_EMBEDDER"] == "bedrock" {
			want = append(want, "AWS/Bedrock")
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(namespaces))); diff != "" {
			t.Errorf("namespaces (-want +got):\n%s", diff)
		}
		for _, id := range functionIDs() {
			if got := environment(s, id)["LOREHOOK_METRICS_NAMESPACE"]; got != own {
				t.Errorf("%s tells its metrics under %q", id, got)
			}
		}
	})
}

// What is emitted and shown nowhere is paid for in vain.
func TestEveryMetricOfLorehookIsOnTheDashboard(t *testing.T) {
	shown := map[string]bool{}
	for key := range visible(t, onAWS(t)) {
		if rest, own := strings.CutPrefix(key, "lorehook "); own {
			name, _, _ := strings.Cut(rest, " ")
			shown[name] = true
		}
	}
	for _, m := range metrics.All() {
		if !shown[m.Name] {
			t.Errorf("%s is on no widget", m.Name)
		}
	}
}

// DynamoDB's table metrics exclude the indexes: every metric of a table is also
// needed for each of its indexes.
func TestWhatIsShownOfATableIsShownOfItsIndexesToo(t *testing.T) {
	for title, names := range map[string][]string{
		"Throttled DynamoDB requests": {"ReadThrottleEvents", "WriteThrottleEvents"},
		"Write units":                 {"ConsumedWriteCapacityUnits"},
		"Estimated cost per hour":     {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
	} {
		shown := seriesOf(t, title)
		for _, name := range names {
			for _, table := range tables.All() {
				want := []string{name + " TableName=" + pascal(table.Name)}
				for _, index := range table.Indexes {
					want = append(want, name+" GlobalSecondaryIndexName="+index.Name+",TableName="+pascal(table.Name))
				}
				for _, w := range want {
					if !shown[w] {
						t.Errorf("%s lacks %s", title, w)
					}
				}
			}
		}
	}
}

// What fails outside of functions, or before them.
func TestWorkflowsAndThrottledFunctionsAreShown(t *testing.T) {
	workflows := seriesOf(t, "Failed workflow executions")
	for _, name := range []string{"ExecutionsFailed", "ExecutionsTimedOut"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(workflows)), func(s string) bool {
			return strings.HasPrefix(s, name+" StateMachineArn=") && strings.HasSuffix(s, ":stateMachine:lorehook-workflow")
		}) {
			t.Errorf("%s is not among %v", name, workflows)
		}
	}
	throttled := seriesOf(t, "Throttled invocations")
	for _, id := range functionIDs() {
		if !throttled["Throttles FunctionName="+id+"Function"] {
			t.Errorf("nothing shows that %s is throttled", id)
		}
	}
}

// Each expression uses the metrics that stand hidden beside it.
func TestEveryExpressionHasItsMetrics(t *testing.T) {
	id := regexp.MustCompile(`\b[a-z][a-zA-Z_]*[0-9]*\b`)
	for _, w := range dashboard(t, onAWS(t)) {
		ids := map[string]bool{}
		var expressions []string
		for _, m := range w.Properties.Metrics {
			options, _ := m[len(m)-1].(map[string]any)
			if name, ok := options["id"].(string); ok {
				ids[name] = true
			}
			if text, ok := options["expression"].(string); ok {
				expressions = append(expressions, text)
			}
		}
		for _, e := range expressions {
			for _, name := range id.FindAllString(e, -1) {
				if !ids[name] {
					t.Errorf("%s: %s is no metric of %s", w.name(), name, e)
				}
			}
		}
	}
}

// The last failures by code, and what else logs know.
func TestTablesOfFailuresReadTheLogsOfThoseWhoWriteThem(t *testing.T) {
	all := []string{"WebhookLogs", "WorkerLogs", "DocsLogs", "EmbedLogs", "FinishLogs", "AbortLogs", "SweeperLogs", "CrawlerLogs", "FeedLogs", "ApiLogs", "IndexerLogs", "BuilderLogs", "SearchLogs"}
	closers := []string{"WorkerLogs", "FinishLogs", "AbortLogs", "SweeperLogs"}
	want := map[string][]string{
		"Attempts postponed or given up, by code": {"WorkerLogs"},
		"Failed runs by code":                     closers, "Latest failed runs": closers,
		"Refused or failed webhooks, by reason": {"WebhookLogs"}, "Latest function errors": all,
	}
	source := regexp.MustCompile(`SOURCE '([^']+)'`)
	got := map[string][]string{}
	for _, w := range dashboard(t, onAWS(t)) {
		if w.Type != "log" {
			continue
		}
		for _, m := range source.FindAllStringSubmatch(w.Properties.Query, -1) {
			got[w.Properties.Title] = append(got[w.Properties.Title], m[1])
		}
		_, query, _ := strings.Cut(source.ReplaceAllString(w.Properties.Query, ""), "filter")
		checkQuery(t, w.Properties.Title, "filter"+query)
	}
	got["Latest function errors"] = slices.DeleteFunc(got["Latest function errors"], func(g string) bool { return g == "WidgetLogs" })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

// words of Logs Insights that are not fields; what follows "as" is not one either.
var (
	keyword = regexp.MustCompile(`^(filter|fields|stats|sort|limit|by|desc|asc|and|or|in|like|as|count|latest|max|pct|bin|\d+[mh]?)$`)
	quoted  = regexp.MustCompile(`"[^"]*"|/[^/]*/`)
	alias   = regexp.MustCompile(`\bas (\w+)`)
	word    = regexp.MustCompile(`@?[\w.]+`)
)

// checkQuery checks that a query of Logs Insights names fields that lines have.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	known := logs.Fields()
	aliases := map[string]bool{}
	bare := quoted.ReplaceAllString(query, "")
	for _, m := range alias.FindAllStringSubmatch(bare, -1) {
		aliases[m[1]] = true
	}
	for _, w := range word.FindAllString(bare, -1) {
		// Lambda's own lines have a type too, and a record.
		platform := strings.HasPrefix(w, "record.")
		if known[w] == "" && !aliases[w] && !keyword.MatchString(w) && !strings.HasPrefix(w, "@") && !platform {
			t.Errorf("%s: %q is no field of a log line: %s", where, w, query)
		}
	}
}

// The function that draws it is called with the viewer's permissions.
func TestTheCustomWidgetShowsTheRunLedger(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("S"), nil)
	const arn = "arn:aws:lambda:eu-central-1:123456789012:function:lorehook-widget"
	row := customWidgetRow(awslambda.Function_FromFunctionArn(stack, jsii.String("F"), jsii.String(arn)))
	if len(row) != 1 {
		t.Fatalf("%d widgets", len(row))
	}
	got, err := json.Marshal(row[0].ToJson())
	if err != nil {
		t.Fatal(err)
	}
	var widgets []struct {
		Type       string
		Width      int
		Properties struct {
			Title, Endpoint string
			UpdateOn        struct{ Refresh, Resize, TimeRange bool }
		}
	}
	if err := json.Unmarshal(got, &widgets); err != nil {
		t.Fatal(err)
	}
	w := widgets[0]
	if w.Type != "custom" || w.Width != 24 || w.Properties.Endpoint != arn || !w.Properties.UpdateOn.Refresh || !w.Properties.UpdateOn.Resize || !w.Properties.UpdateOn.TimeRange {
		t.Errorf("widget %s", got)
	}
	// Once there is such a function, the dashboard has its row.
	for _, id := range functionIDs() {
		if id == "Widget" && !slices.ContainsFunc(dashboard(t, onAWS(t)), func(w widget) bool { return w.Type == "custom" }) {
			t.Error("the widget's function is not on the dashboard")
		}
	}
}

func TestTheDashboardsAddressIsAnOutput(t *testing.T) {
	for want, s := range map[string]stackTemplate{
		"https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/team-a-eu-central-1":         onOpenAI(t),
		"https://${AWS::Region}.console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/lorehook-${AWS::Region}": onAWS(t),
	} {
		if got := resolve(s.Outputs["DashboardUrl"].Value); got != want {
			t.Errorf("output %v, want %s", got, want)
		}
	}
}
