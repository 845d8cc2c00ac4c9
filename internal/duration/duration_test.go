package duration_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

func TestText_ReadsAsPeopleSayIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:            "0 ms",
		0:                       "0 ms",
		35 * time.Millisecond:   "35 ms",
		2440 * time.Millisecond: "2.4 s",
		72 * time.Second:        "1 min 12 s",
		3*time.Hour + 4*time.Minute + 59*time.Second: "3 h 4 min",
		47 * time.Hour: "47 h 0 min",
		51 * time.Hour: "2 days 3 h",
	} {
		if got := duration.Text(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestWait_EndsWithTheTimeOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := duration.Wait(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if err := duration.Wait(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
