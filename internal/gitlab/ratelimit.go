package gitlab

import (
	"net/http"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// RateLimit is what GitLab said about its budget of requests.
type RateLimit = surgical.RateLimit

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
