package dashboard

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write testdata/small.html")

// small is a board with a widget of each kind.
func small(t *testing.T) Board {
	t.Helper()
	text, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	board, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return board
}

func smallRecording() Recording {
	r := Recording{
		About: "Made up.", Start: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC), Bins: 24,
		Ledger: "<b>No runs</b>", Lines: map[string][]string{"WorkerLogs": {`{"time":"2026-11-02T08:05:00Z","msg":"closed","code":"a&b"}`, `{"msg":"closed","code":"c"}`, `{"msg":"other"}`}},
	}
	for i := range 20 {
		r.Add(r.Start.Add(time.Duration(i)*Bin), Key("AWS/Lambda", "Invocations", "FunctionName=lorehook-worker"), float64(i))
		if i%5 != 0 {
			r.Add(r.Start.Add(time.Duration(i)*Bin), Key("lorehook", "Deliveries", "Outcome=queued"), 1, 1, float64(i%3))
		}
	}
	return r
}

func TestPage_DrawsEachKindOfWidget(t *testing.T) {
	got, err := small(t).Page(smallRecording())
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/small.html"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", golden, diff)
	}
}

func TestPage_RefusesWhatItCannotDraw(t *testing.T) {
	for name, w := range map[string]Widget{
		"pie":        {Type: "metric", Properties: properties{View: "pie"}},
		"explorer":   {Type: "explorer"},
		"IQM":        {Type: "metric", Properties: properties{Metrics: [][]any{{"N", "M", map[string]any{"stat": "IQM"}}}}},
		"SEARCH":     {Type: "metric", Properties: properties{Metrics: [][]any{{map[string]any{"expression": "SEARCH('a', 'Sum')"}}}}},
		"1m0s":       {Type: "metric", Properties: properties{Metrics: [][]any{{"N", "M", map[string]any{"period": 60.0}}}}},
		"parse":      {Type: "log", Properties: properties{Query: "SOURCE 'A' | parse @message 'x'"}},
		"lorehook-x": {Type: "alarm", Properties: properties{Alarms: []string{"lorehook-x"}}},
	} {
		_, err := Board{Widgets: []Widget{w}}.Page(smallRecording())
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not name %s", err, name)
		}
	}
}

func TestEvaluate_KnowsTheMathOfTheDashboard(t *testing.T) {
	none := math.NaN()
	lines := map[string][]float64{"m0": {1, none, 3}, "long_name": {10, 20, 30}, "gone": {none, none, none}}
	for text, want := range map[string][]float64{
		"FILL(m0,0)*2+long_name/10-1":     {2, 1, 8},
		"(FILL(m0*0+1,0)+FILL(gone,0))*3": {3, 0, 3},
		"m0+long_name":                    {11, none, 33},
		"IF(FILL(m0,0)>2,9,m0+1)":         {2, none, 9},
		"TIME_SERIES(0.5)":                {0.5, 0.5, 0.5},
		"100*(m0+1)":                      {200, none, 400},
	} {
		got, err := evaluate(text, lines, 3)
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"", "m1", "RATE(m0)", "m0 m0", "(m0", "FILL(m0)", "m0+", "IF(m0>1,1)", "m0>1"} {
		if got, err := evaluate(text, lines, 3); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestStatistic_IsOfAllValues(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for name, want := range map[string]float64{"Sum": 10, "Maximum": 4, "Minimum": 1, "SampleCount": 4, "Average": 2.5, "p50": 2, "p95": 4} {
		if got, err := statistic(name, values); err != nil || got != want {
			t.Errorf("%s is %v, error %v, want %v", name, got, err, want)
		}
		if got, err := statistic(name, nil); err != nil || !math.IsNaN(got) {
			t.Errorf("%s of nothing is %v, error %v", name, got, err)
		}
	}
}

func TestState_FollowsTheAlarmsPeriods(t *testing.T) {
	r := Recording{Start: time.Unix(0, 0), Bins: 4}
	for i, v := range []float64{9, 0, 9} { // and nothing in the last period
		r.Add(r.Start.Add(time.Duration(i)*Bin), "N M", v)
	}
	base := Alarm{Namespace: "N", MetricName: "M", Statistic: "Sum", Period: 300, Threshold: 5, EvaluationPeriods: 1, ComparisonOperator: "GreaterThanOrEqualToThreshold", TreatMissingData: "notBreaching"}
	for name, test := range map[string]struct {
		change func(*Alarm)
		want   string
	}{
		"missing is fine":     {func(*Alarm) {}, stateOK},
		"missing is bad":      {func(a *Alarm) { a.TreatMissingData = "breaching" }, stateAlarm},
		"two of four":         {func(a *Alarm) { a.EvaluationPeriods, a.DatapointsToAlarm = 4, 2 }, stateAlarm},
		"three of four":       {func(a *Alarm) { a.EvaluationPeriods, a.DatapointsToAlarm = 4, 3 }, stateOK},
		"below":               {func(a *Alarm) { a.ComparisonOperator, a.EvaluationPeriods = "LessThanThreshold", 3 }, stateAlarm},
		"nobody recorded any": {func(a *Alarm) { a.MetricName = "Other" }, stateNoData},
	} {
		a := base
		test.change(&a)
		if got, err := r.state(a); err != nil || got != test.want {
			t.Errorf("%s: %s, error %v, want %s", name, got, err, test.want)
		}
	}
}

func TestParseQuery_FindsAndGroupsLines(t *testing.T) {
	lines := map[string][]string{"A": {
		`{"time":"3","msg":"x","code":"b","ms":5,"level":"ERROR"}`,
		`{"time":"1","msg":"x","code":"a","ms":7}`,
		`{"time":"2","msg":"y","code":"a","ms":9}`,
		`{"time":"4","msg":"z","code":"a","ms":1}`,
	}}
	for text, want := range map[string][][]string{
		"SOURCE 'A' | filter msg in [\"x\", \"y\"]\n| stats count(*) as n, max(ms) as most, latest(@timestamp) as last by code\n| sort n desc": {{"a", "2", "9", "2"}, {"b", "1", "5", "3"}},
		"SOURCE 'A' | filter level = \"ERROR\" or (msg = \"z\" and code = \"a\")\n| fields @timestamp, msg\n| sort @timestamp desc\n| limit 1": {{"4", "z"}},
		"SOURCE 'B' | fields msg": nil,
	} {
		q, err := parseQuery(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := q.run(lines)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"filter a > 1", "filter a = \"b\" c", "filter (a = \"b\"", "sort a asc", "limit x"} {
		if _, err := parseQuery(text); err == nil {
			t.Errorf("%q is understood", text)
		}
	}
}
