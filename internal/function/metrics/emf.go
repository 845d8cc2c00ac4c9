// Package metrics tells CloudWatch what operators watch. A metric is a line on
// standard output in the embedded metric format: CloudWatch reads it out of the
// log, and no function calls an API for it.
//
// Lines are written at decisions, one a decision with all metrics of it, and at
// most once: what a crash swallows is not told again. The ledger, not the
// metrics, is the truth about a run.
//
// The format: "Specification: Embedded metric format" in the CloudWatch User
// Guide. The package needs nothing but the standard library and the domain, for
// it is part of the webhook's cold start.
package metrics

import (
	"encoding/json"
	"io"
	"slices"
	"time"
)

// Emitter writes the lines. It implements the Meter of every package that has
// one, and is safe for concurrent use if its writer is.
type Emitter struct {
	w         io.Writer
	namespace string
	clock     func() time.Time
}

// New returns an emitter of metrics in the namespace, which has 1 to 255
// characters. Each line is one call to w.
func New(w io.Writer, namespace string, clock func() time.Time) *Emitter {
	return &Emitter{w: w, namespace: namespace, clock: clock}
}

// line is one line to be.
type line struct {
	metrics    []Metric
	values     map[string]any
	dimensions map[Dimension]string
}

func newLine() *line {
	return &line{values: map[string]any{}, dimensions: map[Dimension]string{}}
}

// of sets the value of a dimension.
func (l *line) of(d Dimension, value string) *line {
	l.dimensions[d] = value
	return l
}

// count adds a metric, zero or not.
func (l *line) count(m Metric, n int64) *line {
	l.metrics = append(l.metrics, m)
	l.values[m.Name] = n
	return l
}

// some adds a metric unless it is zero: a sum does not miss it.
func (l *line) some(m Metric, n int64) *line {
	if n == 0 {
		return l
	}
	return l.count(m, n)
}

// took adds durations. The format takes at most [maxValues] of them.
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

// maxValues is how many values of one metric a line may have.
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

// emit writes the line. Metrics under the same dimensions share a directive.
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
	root := map[string]any{"_aws": metadata{e.clock().UnixMilli(), directives}}
	for name, value := range l.values {
		root[name] = value
	}
	for name, value := range l.dimensions {
		root[string(name)] = value
	}
	text, err := json.Marshal(root)
	if err != nil {
		return // numbers and strings always encode
	}
	_, _ = e.w.Write(append(text, '\n')) // a log that takes nothing leaves nothing to tell it
}
