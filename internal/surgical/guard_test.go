package surgical_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

var t0 = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return t0.Add(time.Duration(seconds * float64(time.Second)))
}

func TestHeadAccepts_NoFetchThatOverlapsAndNoOlderCopyUnlessConfirmed(t *testing.T) {
	c := surgical.Confirmation.Seconds()
	head := surgical.Head{Revision: 3, UpdatedAt: after(0), FetchedAt: after(10), FetchedUntil: after(12)}
	for name, c := range map[string]struct {
		head  surgical.Head
		fetch surgical.Snapshot
		want  bool
	}{
		"no head yet":                       {surgical.Head{}, surgical.Snapshot{UpdatedAt: after(-99), FetchedAt: after(-99)}, true},
		"newer, later":                      {head, surgical.Snapshot{UpdatedAt: after(1), FetchedAt: after(13)}, true},
		"the same updated_at, later":        {head, surgical.Snapshot{UpdatedAt: after(0), FetchedAt: after(13)}, true},
		"older, later":                      {head, surgical.Snapshot{UpdatedAt: after(-0.000001), FetchedAt: after(13)}, false},
		"begun as the head's fetch ended":   {head, surgical.Snapshot{UpdatedAt: after(0), FetchedAt: after(12)}, true},
		"begun before the head's had ended": {head, surgical.Snapshot{UpdatedAt: after(0), FetchedAt: after(11.999999)}, false},
		"newer, but begun before it ended":  {head, surgical.Snapshot{UpdatedAt: after(9), FetchedAt: after(11)}, false},
		"older, C after the head's began":   {head, surgical.Snapshot{UpdatedAt: after(-1), FetchedAt: after(10 + c)}, false},
		"older, not quite C later":          {head, surgical.Snapshot{UpdatedAt: after(-1), FetchedAt: after(12 + c - 0.000001)}, false},
		"older, confirmed":                  {head, surgical.Snapshot{UpdatedAt: after(-1), FetchedAt: after(12 + c)}, true},
		"without a date, confirmed":         {head, surgical.Snapshot{UpdatedAt: time.Unix(0, 0), FetchedAt: after(12 + c)}, true},
		"a head of the future, confirmed":   {surgical.Head{Revision: 3, UpdatedAt: after(1e9), FetchedUntil: after(12)}, surgical.Snapshot{UpdatedAt: after(400), FetchedAt: after(12 + c)}, true},
		"a head of the future":              {surgical.Head{Revision: 3, UpdatedAt: after(1e9), FetchedUntil: after(12)}, surgical.Snapshot{UpdatedAt: after(100), FetchedAt: after(101)}, false},
	} {
		if got := c.head.Accepts(c.fetch); got != c.want {
			t.Errorf("%s: Accepts = %t, want %t", name, got, c.want)
		}
	}
}

func TestHeadCovers_OnlyEventsThatSettledBeforeTheFetchBegan(t *testing.T) {
	head := surgical.Head{Revision: 1, FetchedAt: after(10)}
	settle := surgical.Settle.Seconds()
	for name, c := range map[string]struct {
		head  surgical.Head
		event time.Time
		want  bool
	}{
		"settled by a microsecond": {head, after(10 - settle - 0.000001), true},
		"at the settle time":       {head, after(10 - settle), false},
		"not settled":              {head, after(10 - settle + 1), false},
		"later than the fetch":     {head, after(11), false},
		"no head":                  {surgical.Head{FetchedAt: after(10)}, after(-99), false},
	} {
		if got := c.head.Covers(c.event); got != c.want {
			t.Errorf("%s: Covers = %t, want %t", name, got, c.want)
		}
	}
}
