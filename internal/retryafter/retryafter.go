// Package retryafter reads the Retry-After header of HTTP responses
// (RFC 9110, section 10.2.3).
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Max bounds every wait that a server can ask for. The longest one seen from
// GitLab is 20 minutes; without a bound, one wrong header could stop all
// workers for years.
const Max = 12 * time.Hour

// Parse reads the value of a Retry-After header: a number of seconds, with or
// without a fraction, or an HTTP date, which counts from now. The result is
// between 0 and [Max]. ok is false if the value is neither, and for a date if
// now is zero.
func Parse(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if seconds, ok := seconds(value); ok {
		return bounded(seconds), true
	}
	at, err := http.ParseTime(value)
	if err != nil || now.IsZero() {
		return 0, false
	}
	return min(max(at.Sub(now), 0), Max), true
}

// Of applies [Parse] to a response's header, and returns 0 if that fails. A date
// counts from the response's own Date, so that the two clocks need not agree.
func Of(h http.Header) time.Duration {
	sent, _ := http.ParseTime(h.Get("Date")) // zero if it has none: then only seconds count
	wait, _ := Parse(h.Get("Retry-After"), sent)
	return wait
}

// seconds reads a decimal number. ParseFloat also reads exponents, hexadecimal
// numbers, infinities and NaN, none of which are numbers of seconds.
func seconds(value string) (float64, bool) {
	if strings.Trim(value, "+-.0123456789") != "" || value == "" {
		return 0, false
	}
	// A range error returns an infinity, which is bounded like any other value.
	n, err := strconv.ParseFloat(value, 64)
	if err != nil && n == 0 {
		return 0, false
	}
	return n, true
}

func bounded(seconds float64) time.Duration {
	switch {
	case seconds <= 0:
		return 0
	case seconds >= Max.Seconds():
		return Max
	default:
		return time.Duration(seconds * float64(time.Second))
	}
}
