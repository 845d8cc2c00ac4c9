package gitlab

import (
	"net/http"
	"strconv"
	"time"
)

// RateLimit is what GitLab said about the budget of requests that the token's user
// has. Not every GitLab says so.
type RateLimit struct {
	// Limit is the number of requests in GitLab's interval, one minute by default,
	// and Remaining how many of them are left; -1 if GitLab did not say.
	Limit, Remaining int64
	// Reset is when the interval ends, by GitLab's clock; zero if it did not say.
	Reset time.Time
}

func rateLimitOf(h http.Header) RateLimit {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(h.Get(name), 10, 64)
		if err != nil || n < 0 {
			return -1
		}
		return n
	}
	l := RateLimit{Limit: number("RateLimit-Limit"), Remaining: number("RateLimit-Remaining")}
	if reset := number("RateLimit-Reset"); reset > 0 {
		l.Reset = time.Unix(reset, 0).UTC()
	}
	return l
}

// dateHeader returns the time at which the response was made, zero without one.
func dateHeader(h http.Header) time.Time {
	date, _ := http.ParseTime(h.Get("Date")) // zero if it is none
	return date.UTC()
}
