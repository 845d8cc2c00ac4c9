package surgical

import (
	"slices"
	"testing"
)

// Whatever hides something, or what a person waits for, is never behind a backfill.
func TestBulk_IsWhatNobodyWaitsFor(t *testing.T) {
	var bulk []Origin
	for _, origin := range Origins() {
		if origin.Bulk() {
			bulk = append(bulk, origin)
		}
	}
	if want := []Origin{OriginReconcile, OriginBackfill, OriginCensus, OriginDrain}; !slices.Equal(bulk, want) {
		t.Errorf("in the bulk queue: %v, want %v", bulk, want)
	}
}

func TestOriginOf_ReadsTheLetterOfARunID(t *testing.T) {
	for _, origin := range Origins() {
		want := origin
		if origin == OriginRetry || origin == OriginReconcile {
			want = "" // they share a letter
		}
		if got := OriginOf(RunID(origin, "key")); got != want {
			t.Errorf("run of origin %s: got %q, want %q", origin, got, want)
		}
	}
	if got := OriginOf("xyz"); got != "" {
		t.Errorf("unknown letter: got %q, want none", got)
	}
}
