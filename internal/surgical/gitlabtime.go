package surgical

import (
	"strings"
	"time"
)

// ParseTime reads a time as GitLab writes it, in its API (RFC 3339) or in a
// webhook ("2026-11-02 06:00:00 UTC"). The result is in UTC, and always one that
// JSON and the tables can hold: a time before 1970 becomes the beginning of
// 1970, one after the year 9999 the end of that year. ok is false if s is not a
// time: old rows of GitLab have none.
func ParseTime(s string) (t time.Time, ok bool) {
	s = strings.TrimSpace(s)
	if named, utc := strings.CutSuffix(s, " UTC"); utc {
		s = named + " +0000"
	}
	layouts := [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700"}
	if len(s) > len(time.DateOnly) && s[len(time.DateOnly)] == ' ' {
		layouts = [...]string{"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00"}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return within(t.UTC()), true
		}
	}
	return time.Time{}, false
}

func within(t time.Time) time.Time {
	first, last := time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}
