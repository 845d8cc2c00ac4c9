package main

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	drawing "gitlab.com/lorehook/lorehook/test/dashboard"
)

// point is one metric of a graph, or an expression.
type point struct {
	// metric is its namespace, name and dimensions; "" for an expression.
	metric, expression string
	// hidden ones only serve expressions.
	hidden    bool
	rightAxis bool
	// id is the metric's in expressions.
	id string
}

func (w widget) points() (all []point) {
	for _, m := range w.Properties.Metrics {
		options, _ := m[len(m)-1].(map[string]any)
		visible, set := options["visible"].(bool)
		p := point{hidden: set && !visible, rightAxis: options["yAxis"] == "right"}
		p.id, _ = options["id"].(string)
		if p.expression, _ = options["expression"].(string); p.expression == "" {
			var dimensions []string
			for i := 2; i+1 < len(m); i += 2 {
				dimensions = append(dimensions, fmt.Sprintf("%v=%v", m[i], m[i+1]))
			}
			p.metric = metricKey(m[0], m[1], dimensions)
		}
		all = append(all, p)
	}
	return all
}

func metricKey(namespace, name any, dimensions []string) string {
	slices.Sort(dimensions)
	return fmt.Sprintf("%v %v %s", namespace, name, strings.Join(dimensions, ","))
}

// inAnotherUnit is an expression that only changes the unit of one metric.
var inAnotherUnit = regexp.MustCompile(`^(\w+)/[0-9]+$`)

// visible are the metrics that graphs and numbers draw, also in another unit, not those
// that only serve other expressions.
func visible(t *testing.T, s stackTemplate) map[string]bool {
	t.Helper()
	shown := map[string]bool{}
	for _, w := range dashboard(t, s) {
		divided := map[string]bool{}
		for _, p := range w.points() {
			if m := inAnotherUnit.FindStringSubmatch(p.expression); m != nil && !p.hidden {
				divided[m[1]] = true
			}
		}
		for _, p := range w.points() {
			if !p.hidden || divided[p.id] {
				shown[p.metric] = true
			}
		}
	}
	return shown
}

// An operator who sees an alarm can see what it looks at.
func TestTheMetricOfEveryAlarmIsOnTheDashboard(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		shown := visible(t, s)
		alarms := s.ofType("AWS::CloudWatch::Alarm")
		for name, a := range alarms {
			var dimensions []string
			for _, d := range objects(a["Dimensions"]) {
				dimensions = append(dimensions, fmt.Sprintf("%v=%v", d["Name"], d["Value"]))
			}
			if key := metricKey(a["Namespace"], a["MetricName"], dimensions); !shown[key] {
				t.Errorf("%s: no graph shows %s", name, key)
			}
		}
		if len(alarms) == 0 {
			t.Error("there are no alarms")
		}
	})
}

// An axis in milliseconds shows "300k" and "4M".
func TestNoGraphIsInMilliseconds(t *testing.T) {
	inMilliseconds := map[string]bool{"Duration": true, "IteratorAge": true}
	for _, m := range metrics.All() {
		inMilliseconds[m.Name] = inMilliseconds[m.Name] || m.Unit == metrics.Milliseconds
	}
	divided := 0
	for _, w := range dashboard(t, onAWS(t)) {
		if unit := w.Properties.YAxis.Left.Label; unit == "ms" {
			t.Errorf("%s is in %s", w.name(), unit)
		}
		for _, p := range w.points() {
			if inAnotherUnit.MatchString(p.expression) {
				divided++
			}
			_, name, _ := strings.Cut(p.metric, " ")
			name, _, _ = strings.Cut(name, " ")
			if !p.hidden && inMilliseconds[name] {
				t.Errorf("%s shows %s in milliseconds", w.name(), name)
			}
		}
	}
	if divided < 10 {
		t.Errorf("only %d metrics are in another unit: the test shows little", divided)
	}
}

// A second axis invites to compare what cannot be compared.
func TestNoGraphHasTwoAxes(t *testing.T) {
	titles := map[string]bool{}
	for _, w := range dashboard(t, onAWS(t)) {
		for _, p := range w.points() {
			if p.rightAxis {
				t.Errorf("%s has a second axis, for %s", w.name(), p.metric+p.expression)
			}
		}
		if titles[w.name()] {
			t.Errorf("two widgets have the title %q", w.name())
		}
		titles[w.name()] = true
	}
}

// CloudWatch's limits: metrics of a widget and of a dashboard, characters of an
// expression.
func TestTheDashboardStaysWithinCloudWatchsLimits(t *testing.T) {
	const ofWidget, ofDashboard, ofExpression = 500, 2500, 2048
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		all := 0
		for _, w := range dashboard(t, s) {
			points := w.points()
			all += len(points)
			if len(points) > ofWidget {
				t.Errorf("%s has %d metrics, at most %d are possible", w.name(), len(points), ofWidget)
			}
			for _, p := range points {
				if len(p.expression) > ofExpression {
					t.Errorf("%s has an expression of %d characters, at most %d are possible: %.60s…", w.name(), len(p.expression), ofExpression, p.expression)
				}
			}
		}
		if all > ofDashboard {
			t.Errorf("it has %d metrics, at most %d are possible", all, ofDashboard)
		}
	})
}

// make dashboard can draw all of it, and what was recorded still has the names that it
// uses.
func TestEveryWidgetOfTheDashboardIsDrawn(t *testing.T) {
	recording, err := drawing.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		board, err := drawing.Read(s.Text)
		if err != nil {
			t.Fatal(err)
		}
		page, err := board.Page(recording)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range dashboard(t, s) {
			if title := w.Properties.Title; !strings.Contains(string(page), ">"+html.EscapeString(title)) {
				t.Errorf("%q is not on the page", title)
			}
		}
		if _, variant, _ := strings.Cut(t.Name(), "/"); variant != "aws" {
			return
		}
		if undrawn := board.Undrawn(recording); len(undrawn) > 0 {
			t.Errorf("no widget draws what was recorded as %q: make dashboard RECORD=1", undrawn)
		}
	})
}

// seriesOf are the metrics of the widget with the title, those that its
// expressions use among them.
func seriesOf(t *testing.T, title string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, w := range dashboard(t, onAWS(t)) {
		if w.Properties.Title != title {
			continue
		}
		for _, m := range w.Properties.Metrics {
			if _, isExpression := m[0].(map[string]any); isExpression {
				continue
			}
			var dimensions []string
			for i := 2; i+1 < len(m); i += 2 {
				dimensions = append(dimensions, fmt.Sprintf("%v=%v", m[i], m[i+1]))
			}
			slices.Sort(dimensions)
			all[fmt.Sprintf("%v %s", m[1], strings.Join(dimensions, ","))] = true
		}
	}
	if len(all) == 0 {
		t.Fatalf("%q shows no metric", title)
	}
	return all
}
