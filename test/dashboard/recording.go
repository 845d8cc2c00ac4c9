package dashboard

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bin is the time for which values are kept together, the shortest period that can be
// drawn.
const Bin = 5 * time.Minute

// Recording is what CloudWatch would have received.
type Recording struct {
	// About says where it comes from.
	About string
	Start time.Time
	// Bins is how long it is, in units of [Bin].
	Bins int
	// Series are the values of each [Key], by bin.
	Series map[string][][]float64
	// Ledger is the HTML that the function of the custom widget returned at the end.
	Ledger string
	// Lines are the log lines that queries of the dashboard look for, by log group.
	Lines map[string][]string
}

// recorded is written by make dashboard RECORD=1.
//
//go:embed recorded.json
var recorded []byte

// Recorded returns what was recorded last.
func Recorded() (r Recording, err error) {
	if err := json.Unmarshal(recorded, &r); err != nil {
		return r, fmt.Errorf("test/dashboard/recorded.json: %w", err)
	}
	return r, nil
}

// Text returns the recording as JSON, with a line for each series.
func (r Recording) Text() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{\n")
	for _, part := range []struct {
		name  string
		value any
	}{{"About", r.About}, {"Start", r.Start}, {"Bins", r.Bins}, {"Ledger", r.Ledger}, {"Lines", r.Lines}} {
		text, err := json.MarshalIndent(part.value, "", " ")
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q: %s,\n", part.name, text)
	}
	b.WriteString("\"Series\": {\n")
	for i, key := range slices.Sorted(maps.Keys(r.Series)) {
		text, err := json.Marshal(r.Series[key])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "%q: %s", key, text)
	}
	b.WriteString("\n}}\n")
	return b.Bytes(), nil
}

// Add adds values of a metric at a time. Values out of the recording's time are dropped.
func (r *Recording) Add(at time.Time, key string, values ...float64) {
	if at.Before(r.Start) {
		return
	}
	bin := int(at.Sub(r.Start) / Bin)
	if bin >= r.Bins {
		return
	}
	if r.Series == nil {
		r.Series = map[string][][]float64{}
	}
	if r.Series[key] == nil {
		r.Series[key] = make([][]float64, r.Bins)
	}
	for _, v := range values {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
		r.Series[key][bin] = append(r.Series[key][bin], short)
	}
}

// Shorten keeps one value of the metric for each bin, for a metric of which nothing but
// this statistic is drawn.
func (r *Recording) Shorten(key, stat string) {
	for i, values := range r.Series[key] {
		if len(values) > 1 {
			if v, err := statistic(stat, values); err == nil {
				r.Series[key][i] = []float64{v}
			}
		}
	}
}

// line is a metric's values by period, NaN where there is no data. ok is false if the
// metric was not recorded.
func (r Recording) line(key, stat string, period time.Duration) (line []float64, ok bool, err error) {
	if period%Bin != 0 || period <= 0 {
		return nil, false, fmt.Errorf("%s has a period of %s, only multiples of %s can be drawn", key, period, Bin)
	}
	step := int(period / Bin)
	values, ok := r.Series[key]
	for i := 0; i < r.Bins; i += step {
		var all []float64
		for j := i; j < min(i+step, len(values)); j++ {
			all = append(all, values[j]...)
		}
		v, err := statistic(stat, all)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", key, err)
		}
		line = append(line, v)
	}
	return line, ok, nil
}

// statistic is NaN of no values.
func statistic(name string, values []float64) (float64, error) {
	percent, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	isPercentile := strings.HasPrefix(name, "p") && err == nil
	if !isPercentile && !slices.Contains([]string{"Sum", "Maximum", "Minimum", "SampleCount", "Average"}, name) {
		return 0, fmt.Errorf("the statistic %q cannot be drawn", name)
	}
	if len(values) == 0 {
		return math.NaN(), nil
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch {
	case isPercentile:
		sorted := slices.Sorted(slices.Values(values))
		return sorted[max(0, int(math.Ceil(percent/100*float64(len(sorted))))-1)], nil
	case name == "Maximum":
		return slices.Max(values), nil
	case name == "Minimum":
		return slices.Min(values), nil
	case name == "SampleCount":
		return float64(len(values)), nil
	case name == "Average":
		return sum / float64(len(values)), nil
	}
	return sum, nil
}
