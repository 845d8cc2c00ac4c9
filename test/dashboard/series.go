package dashboard

import (
	"fmt"
	"math"
	"time"
)

// series is one line of a graph.
type series struct {
	label, color string
	// values are NaN where there is no data, each for one period.
	values []float64
	period time.Duration
	// recorded is false if there is nothing to draw.
	recorded bool
}

// palette is CloudWatch's order of colours, of metrics without one.
func palette(n int) string {
	colors := []string{"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"}
	return colors[n%len(colors)]
}

// metricOf reads one entry of a widget's metrics.
type metricOf struct {
	key, stat, label, color, id, expression string
	period                                  time.Duration
	hidden                                  bool
}

func read(entry []any) metricOf {
	m := metricOf{stat: "Average", period: Bin}
	options, isMap := entry[len(entry)-1].(map[string]any)
	if isMap {
		entry = entry[:len(entry)-1]
	}
	text := func(name string) string { s, _ := options[name].(string); return s }
	m.label, m.color, m.id, m.expression = text("label"), text("color"), text("id"), text("expression")
	if stat := text("stat"); stat != "" {
		m.stat = stat
	}
	if seconds, ok := options["period"].(float64); ok {
		m.period = time.Duration(seconds) * time.Second
	}
	if visible, ok := options["visible"].(bool); ok {
		m.hidden = !visible
	}
	if len(entry) >= 2 {
		var dimensions []string
		for i := 2; i+1 < len(entry); i += 2 {
			dimensions = append(dimensions, fmt.Sprintf("%v=%v", entry[i], entry[i+1]))
		}
		m.key = Key(fmt.Sprint(entry[0]), fmt.Sprint(entry[1]), dimensions...)
	}
	return m
}

// seriesOf returns the visible lines of a widget.
func (r Recording) seriesOf(w Widget) (all []series, err error) {
	lines, known := map[string][]float64{}, map[string]bool{}
	for _, entry := range w.Properties.Metrics {
		m := read(entry)
		if m.expression != "" {
			continue
		}
		values, ok, err := r.line(m.key, m.stat, m.period)
		if err != nil {
			return nil, err
		}
		lines[m.id], known[m.id] = values, ok
		if !m.hidden {
			all = append(all, series{label: m.label, color: m.color, values: values, period: m.period, recorded: ok})
		}
	}
	for _, entry := range w.Properties.Metrics {
		m := read(entry)
		if m.expression == "" || m.hidden {
			continue
		}
		length := (r.Bins + int(m.period/Bin) - 1) / int(m.period/Bin)
		values, err := evaluate(m.expression, lines, length)
		if err != nil {
			return nil, err
		}
		all = append(all, series{label: m.label, color: m.color, values: values, period: m.period, recorded: anyKnown(m.expression, known)})
	}
	for i := range all {
		if all[i].color == "" {
			all[i].color = palette(i)
		}
		all[i].recorded = all[i].recorded && all[i].hasData()
	}
	return all, nil
}

// anyKnown reports whether an expression uses a recorded metric, or none.
func anyKnown(expression string, known map[string]bool) bool {
	uses := false
	for _, name := range token.FindAllString(expression, -1) {
		if ok, isMetric := known[name]; isMetric {
			if ok {
				return true
			}
			uses = true
		}
	}
	return !uses
}

func (s series) hasData() bool {
	for _, v := range s.values {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// last is the newest value.
func (s series) last() (float64, bool) {
	for i := len(s.values) - 1; i >= 0; i-- {
		if !math.IsNaN(s.values[i]) {
			return s.values[i], true
		}
	}
	return 0, false
}

func (s series) maximum() (top float64) {
	for _, v := range s.values {
		if v > top { // not of NaN
			top = v
		}
	}
	return top
}
