package retryafter_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/retryafter"
)

var now = time.Date(2026, time.May, 28, 7, 0, 0, 0, time.UTC)

func date(after time.Duration) string { return now.Add(after).Format(http.TimeFormat) }

func TestParseReadsSecondsAndDatesWithinTheBounds(t *testing.T) {
	for _, c := range []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"0", 0, true},
		{"7", 7 * time.Second, true},
		{" 7 ", 7 * time.Second, true},
		{"+7", 7 * time.Second, true},
		{"1.5", 1500 * time.Millisecond, true},
		{".25", 250 * time.Millisecond, true},
		{"43200", retryafter.Max, true},
		{"43201", retryafter.Max, true},
		{"99999999999999999999", retryafter.Max, true},
		{strings.Repeat("9", 400), retryafter.Max, true},
		{"-7", 0, true},
		{"-99999999999999999999", 0, true},
		{date(90 * time.Second), 90 * time.Second, true},
		{date(-time.Hour), 0, true},
		{date(1000 * time.Hour), retryafter.Max, true},
		{"Thursday, 28-May-26 07:00:05 GMT", 5 * time.Second, true},
		{"", 0, false},
		{"soon", 0, false},
		{"1e3", 0, false},
		{"0x10", 0, false},
		{"inf", 0, false},
		{"NaN", 0, false},
		{"1_000", 0, false},
		{"1.2.3", 0, false},
		{"7s", 0, false},
		{"-", 0, false},
		{"2026-05-28T07:00:05Z", 0, false},
	} {
		if got, ok := retryafter.Parse(c.value, now); got != c.want || ok != c.ok {
			t.Errorf("Parse(%.40q) = %s, %v, want %s, %v", c.value, got, ok, c.want, c.ok)
		}
	}
	if got, ok := retryafter.Parse(date(time.Minute), time.Time{}); ok {
		t.Errorf("a date without a time to count from gives %s", got)
	}
}

func TestOfCountsADateFromTheResponsesOwn(t *testing.T) {
	for name, c := range map[string]struct {
		date, after string
		want        time.Duration
	}{
		"seconds":              {"", "3", 3 * time.Second},
		"a date":               {date(-time.Hour), date(-time.Hour + time.Minute), time.Minute},
		"a date that is over":  {date(0), date(-time.Hour), 0},
		"a date with no Date":  {"", date(time.Minute), 0},
		"what is not a number": {date(0), "soon", 0},
		"no header":            {date(0), "", 0},
	} {
		h := http.Header{}
		h.Set("Date", c.date)
		h.Set("Retry-After", c.after)
		if got := retryafter.Of(h); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Whatever a server sends, the wait is within the bounds. A value that cannot be
// parsed is not a wait.
func FuzzParse(f *testing.F) {
	for _, value := range []string{"7", "1.5", "-7", "", "soon", "1e3", "inf", "NaN", strings.Repeat("9", 400), date(time.Minute)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := retryafter.Parse(value, now)
		if wait < 0 || wait > retryafter.Max || !ok && wait != 0 {
			t.Errorf("Parse(%q) = %s, %v", value, wait, ok)
		}
	})
}
