package surgical_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestSpare_LeavesTheReserveToWebhooksUntilTheIntervalEnds(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		l    surgical.RateLimit
		want time.Duration
	}{
		{"more than the reserve is left", surgical.RateLimit{Limit: 2000, Remaining: 501, Reset: now.Add(time.Minute)}, 0},
		{"the reserve is left", surgical.RateLimit{Limit: 2000, Remaining: 500, Reset: now.Add(30 * time.Second)}, 30 * time.Second},
		{"nothing is left", surgical.RateLimit{Limit: 2000, Remaining: 0, Reset: now.Add(time.Minute)}, time.Minute},
		{"the interval has ended by our clock", surgical.RateLimit{Limit: 10, Remaining: 0, Reset: now.Add(-time.Hour)}, time.Second},
		{"GitLab's clock is ahead", surgical.RateLimit{Limit: 10, Remaining: 0, Reset: now.Add(time.Hour)}, surgical.MaxSpare},
		{"the end is not known", surgical.RateLimit{Limit: 10, Remaining: 1}, surgical.DefaultPause},
		{"GitLab does not say", surgical.RateLimit{Limit: -1, Remaining: -1}, 0},
		{"GitLab says what remains, but not of what", surgical.RateLimit{Limit: -1, Remaining: 3}, 0},
		{"nothing was fetched", surgical.RateLimit{}, 0},
	} {
		until, ok := c.l.Spare(now)
		if ok != (c.want > 0) || ok && until.Sub(now) != c.want {
			t.Errorf("Spare if %s: %v, %t, want %v", c.name, until.Sub(now), ok, c.want)
		}
	}
}

func TestYields_AppliesToWhatNobodyWaitsFor(t *testing.T) {
	for origin, want := range map[surgical.Origin]bool{
		surgical.OriginWebhook: false, surgical.OriginManual: false, surgical.OriginHide: false, surgical.OriginDrain: false,
		surgical.OriginBackfill: true, surgical.OriginReconcile: true, surgical.OriginCensus: true,
	} {
		if got := origin.Yields(); got != want {
			t.Errorf("Yields of %s: %t, want %t", origin, got, want)
		}
	}
}
