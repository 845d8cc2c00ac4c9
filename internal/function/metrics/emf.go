// Package metrics publishes CloudWatch metrics. They are log lines in the embedded
// metric format, which CloudWatch extracts from the log, so no function calls an
// API for them.
//
// Each decision writes one line with all of its metrics, at most once: a line lost
// in a crash is not written again. The ledger, not the metrics, is the source of
// truth about runs.
//
// For the format, see "Specification: Embedded metric format" in the CloudWatch
// User Guide. The package depends only on the standard library and the domain,
// because it is part of the webhook's cold start.
package metrics

import (
	"encoding/json"
	"io"
	"slices"
	"time"
)

// Emitter writes metrics. It implements the Meter interfaces of the packages that
// have one, and is safe for concurrent use if its writer is.
type Emitter struct {
	w         io.Writer
	namespace string
	clock     func() time.Time
}

// New returns an emitter for a CloudWatch namespace of 1 to 255 characters. Each
// line is a single call to w.
func New(w io.Writer, namespace string, clock func() time.Time) *Emitter {
	return &Emitter{w: w, namespace: namespace, clock: clock}
}

// line is a line under construction.
type line struct {
	metrics []Metric
	// values are those of metrics and dimensions, and the format's own in the end.
	values map[string]any
}

func newLine() *line { return &line{values: map[string]any{}} }

// of sets the value of a dimension.
func (l *line) of(d Dimension, value string) *line {
	l.values[string(d)] = value
	return l
}

// count adds a metric, even if it is zero.
func (l *line) count(m Metric, n int64) *line {
	l.metrics = append(l.metrics, m)
	l.values[m.Name] = n
	return l
}

// some adds a metric unless it is zero, which does not change a sum.
func (l *line) some(m Metric, n int64) *line {
	if n == 0 {
		return l
	}
	return l.count(m, n)
}

// took adds durations, at most [maxValues] of them.
func (l *line) took(m Metric, durations ...time.Duration) *line {
	values := make([]float64, len(durations))
	for i, d := range durations {
		values[i] = float64(d.Microseconds()) / 1000
	}
	l.metrics = append(l.metrics, m)
	if len(values) == 1 {
		l.values[m.Name] = values[0]
	} else {
		l.values[m.Name] = values
	}
	return l
}

// maxValues is the format's limit on the values of one metric in a line.
const maxValues = 100

type metadata struct {
	Timestamp         int64
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]Dimension
	Metrics    []definition
}

type definition struct {
	Name string
	Unit Unit
}

// emit writes the line. Metrics with the same sets of dimensions share a directive.
func (e *Emitter) emit(l *line) {
	if e == nil || len(l.metrics) == 0 {
		return
	}
	var directives []directive
	for _, m := range l.metrics {
		i := slices.IndexFunc(directives, func(d directive) bool { return slices.EqualFunc(d.Dimensions, m.Sets, slices.Equal) })
		if i < 0 {
			directives = append(directives, directive{Namespace: e.namespace, Dimensions: m.Sets})
			i = len(directives) - 1
		}
		directives[i].Metrics = append(directives[i].Metrics, definition{m.Name, m.Unit})
	}
	l.values["_aws"] = metadata{e.clock().UnixMilli(), directives}
	text, err := json.Marshal(l.values)
	if err != nil {
		return // numbers and strings always encode
	}
	_, _ = e.w.Write(append(text, '\n')) // if the log is broken, there is nowhere to report it
}
