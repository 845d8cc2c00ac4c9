// Package dashboard draws the CloudWatch dashboard of a synthesized template as a page
// of HTML, from metrics recorded in simulated time ([Recorded]). A metric that was not
// recorded is drawn as "no data".
package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Board is a dashboard with the alarms of its stack.
type Board struct {
	Widgets []Widget
	Alarms  map[string]Alarm
}

// Widget is one widget in its place on a grid of 24 columns.
type Widget struct {
	Type          string
	X, Y          int
	Width, Height int
	Properties    properties
}

// properties are those that can be drawn.
type properties struct {
	Title, Markdown, Query, View string
	Stacked                      bool
	Alarms                       []string
	Metrics                      [][]any
	YAxis                        struct{ Left struct{ Label string } }
	Annotations                  struct {
		Horizontal []struct {
			Value        float64
			Label, Color string
		}
	}
}

// Alarm is what an alarm's state depends on.
type Alarm struct {
	AlarmName, Namespace, MetricName, Statistic, ExtendedStatistic, ComparisonOperator, TreatMissingData string
	Dimensions                                                                                           []struct{ Name, Value string }
	Period, Threshold                                                                                    float64
	EvaluationPeriods, DatapointsToAlarm                                                                 int
}

// stackTemplate is a template's resources.
type stackTemplate struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
}

// Read returns the dashboard of a template. Resources have their fixed names, or else
// their ids without the hash.
func Read(text []byte) (Board, error) {
	var t stackTemplate
	if err := json.Unmarshal(text, &t); err != nil {
		return Board{}, fmt.Errorf("read the template: %w", err)
	}
	board := Board{Alarms: map[string]Alarm{}}
	for id, r := range t.Resources {
		switch r.Type {
		case "AWS::CloudWatch::Dashboard":
			body, _ := t.resolve(r.Properties["DashboardBody"]).(string)
			if err := json.Unmarshal([]byte(body), &board); err != nil {
				return Board{}, fmt.Errorf("read the body of %s: %w", id, err)
			}
		case "AWS::CloudWatch::Alarm":
			raw, err := json.Marshal(t.resolve(r.Properties))
			if err != nil {
				return Board{}, err
			}
			var a Alarm
			if err := json.Unmarshal(raw, &a); err != nil {
				return Board{}, fmt.Errorf("read the alarm %s: %w", id, err)
			}
			board.Alarms[a.AlarmName] = a
		}
	}
	if len(board.Widgets) == 0 {
		return Board{}, errors.New("the template has no dashboard with widgets")
	}
	return board, nil
}

// hash is what the CDK adds to an id.
var hash = regexp.MustCompile(`[0-9A-F]{8}$`)

// pseudo are values of pseudo parameters.
func pseudo(name string) string {
	return map[string]string{"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}[name]
}

// nameOf returns the fixed name of a resource, or its id without the hash.
func (t stackTemplate) nameOf(id string) string {
	for _, property := range []string{"FunctionName", "QueueName", "LogGroupName", "AlarmName", "StateMachineName", "TableName"} {
		if name, ok := t.Resources[id].Properties[property].(string); ok {
			return name
		}
	}
	return hash.ReplaceAllString(id, "")
}

// resolve replaces references by names, and joins by their text.
func (t stackTemplate) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = t.resolve(v[i])
		}
		return all
	case map[string]any:
		if id, ok := v["Ref"].(string); ok {
			if strings.HasPrefix(id, "AWS::") {
				return pseudo(id)
			}
			return t.nameOf(id)
		}
		if attribute, ok := v["Fn::GetAtt"].([]any); ok && len(attribute) == 2 {
			return t.nameOf(fmt.Sprint(attribute[0]))
		}
		if join, ok := v["Fn::Join"].([]any); ok && len(join) == 2 {
			var parts []string
			list, _ := join[1].([]any)
			for _, part := range list {
				parts = append(parts, fmt.Sprint(t.resolve(part)))
			}
			return strings.Join(parts, fmt.Sprint(join[0]))
		}
		all := map[string]any{}
		for name, value := range v {
			all[name] = t.resolve(value)
		}
		return all
	default:
		return v
	}
}

// Key names a metric: its namespace, its name, and its dimensions as "name=value". Of an
// ARN only the resource's name counts.
func Key(namespace, name string, dimensions ...string) string {
	dimensions = slices.Clone(dimensions)
	for i, d := range dimensions {
		if of, value, _ := strings.Cut(d, "="); strings.HasPrefix(value, "arn:") {
			dimensions[i] = of + "=" + value[strings.LastIndex(value, ":")+1:]
		}
	}
	slices.Sort(dimensions)
	return strings.TrimSpace(namespace + " " + name + " " + strings.Join(dimensions, ","))
}

// Undrawn returns the recorded metrics that no widget uses, which have
// another name by now.
func (b Board) Undrawn(r Recording) (keys []string) {
	used := map[string]bool{}
	for _, w := range b.Widgets {
		for _, entry := range w.Properties.Metrics {
			used[read(entry).key] = true
		}
	}
	for key := range r.Series {
		if !used[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
