package dynamo_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

func TestMicros_KeepsMicrosecondsAndTheAbsenceOfATime(t *testing.T) {
	at := time.Date(2026, 11, 2, 7, 0, 0, 123_456_789, time.FixedZone("", 3600))
	for at, want := range map[time.Time]time.Time{
		at:              at.UTC().Truncate(time.Microsecond),
		time.Time{}:     {},
		time.Unix(0, 1): {}, // there is no event in 1970
	} {
		if got := dynamo.FromMicros(dynamo.Micros(at)); got != want {
			t.Errorf("%v became %v, want %v", at, got, want)
		}
	}
}
