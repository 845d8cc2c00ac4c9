package surgical

import "testing"

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
