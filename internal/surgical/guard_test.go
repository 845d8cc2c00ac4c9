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
		"missing, confirmed":                {head, surgical.Snapshot{Missing: true, FetchedAt: after(12 + c)}, true},
		"missing, not quite C later":        {head, surgical.Snapshot{Missing: true, FetchedAt: after(12 + c - 0.000001)}, false},
		"of an erased entity, confirmed":    {surgical.Head{Revision: 4, ErasedAt: after(0)}, surgical.Snapshot{UpdatedAt: after(1), FetchedAt: after(12 + c)}, false},
		"missing, and erased":               {surgical.Head{Revision: 4, FetchedAt: after(0), ErasedAt: after(0)}, surgical.Snapshot{Missing: true, FetchedAt: after(12 + c)}, false},
		"missing, and gone already":         {surgical.Head{Revision: 4, FetchedAt: after(10), FetchedUntil: after(12), Gone: true}, surgical.Snapshot{Missing: true, FetchedAt: after(12 + c)}, false},
		"missing, and never stored":         {surgical.Head{}, surgical.Snapshot{Missing: true, FetchedAt: after(12 + c)}, false},
		"missing, and only hidden so far":   {surgical.Head{Revision: 1, HiddenSince: after(0)}, surgical.Snapshot{Missing: true, FetchedAt: after(12 + c)}, false},
		"found where only hidden so far":    {surgical.Head{Revision: 1, HiddenSince: after(0)}, surgical.Snapshot{UpdatedAt: after(-1), FetchedAt: after(-1)}, true},
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

func TestHeadHiddenFrom_HidesUnlessAFetchLongAfterTheEventIsVisible(t *testing.T) {
	settle, c := surgical.Settle.Seconds(), surgical.Confirmation.Seconds()
	head := func(fetched float64) surgical.Head {
		return surgical.Head{Revision: 3, FetchedAt: after(fetched), FetchedUntil: after(fetched + 1)}
	}
	hidden := head(-10)
	hidden.HiddenSince = after(60)
	gone := head(settle + c)
	gone.Gone = true
	erased := surgical.Head{Revision: 4, FetchedUntil: after(-10), ErasedAt: after(-10)}
	for name, want := range map[string]struct {
		head  surgical.Head
		since float64
		hides bool
	}{
		"no head":                       {surgical.Head{}, settle, true},
		"a head without a copy":         {surgical.Head{Revision: 1, HiddenSince: after(-90)}, settle, true},
		"an older copy":                 {head(-10), settle, true},
		"a copy of a moment later":      {head(settle + 1), settle, true},
		"a copy of not quite C later":   {head(settle + c - 0.000001), settle, true},
		"a copy of C later":             {head(settle + c), 0, false},
		"hidden by a later event":       {hidden, 60, true},
		"a tombstone, whatever its age": {gone, settle, true},
		"erased: nothing is left":       {erased, 0, false},
	} {
		since, hides := want.head.HiddenFrom(t0)
		if hides != want.hides || hides && !since.Equal(after(want.since)) {
			t.Errorf("%s: hidden since %v, %t; want %v, %t", name, since, hides, want.since, want.hides)
		}
	}
}

func TestHeadStaysHidden_UntilAPublicCopyIsConfirmed(t *testing.T) {
	c := surgical.Confirmation.Seconds()
	for name, want := range map[string]struct {
		since        time.Time
		fetched      float64
		confidential bool
		stays        bool
	}{
		"public, at once":             {after(0), 1, false, true},
		"public, not quite C later":   {after(0), c - 0.000001, false, true},
		"public, C later":             {after(0), c, false, false},
		"confidential, at once":       {after(0), 1, true, true},
		"confidential, C later":       {after(0), c, true, true},
		"public, and it never was so": {time.Time{}, 1, false, false},
		"confidential, never hidden":  {time.Time{}, 1, true, false},
	} {
		got := surgical.Head{Revision: 1, HiddenSince: want.since}.StaysHidden(after(want.fetched), want.confidential)
		if got.IsZero() == want.stays || want.stays && !got.Equal(want.since) {
			t.Errorf("%s: hidden since %v, want %t", name, got, want.stays)
		}
	}
}
