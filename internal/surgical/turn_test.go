package surgical_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestTurnWait_LetsEarlierDeliveriesBeginFirst(t *testing.T) {
	asked := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return asked.Add(d) }
	for name, c := range map[string]struct {
		pause, empty, now time.Time
		wait              time.Duration
		look              bool
	}{
		"an earlier delivery may not be visible yet":      {now: after(time.Second), wait: time.Second},
		"the queue was not looked at":                     {now: after(surgical.Settle), look: true},
		"it was empty before the run was requested":       {empty: after(-time.Minute), now: after(time.Minute), look: true},
		"it was empty before the delivery was visible":    {empty: after(surgical.Settle - 1), now: after(time.Minute), look: true},
		"it was just empty":                               {empty: after(time.Minute), now: after(time.Minute), wait: surgical.TurnGrace},
		"it has been empty for some seconds":              {empty: after(time.Minute), now: after(time.Minute + 5*time.Second), wait: surgical.TurnGrace - 5*time.Second},
		"what was in it has begun":                        {empty: after(time.Minute), now: after(time.Minute + surgical.TurnGrace)},
		"it was empty once, however long ago":             {empty: after(surgical.Settle), now: after(24 * time.Hour)},
		"a pause has ended":                               {pause: after(time.Hour), empty: after(time.Minute), now: after(time.Hour), wait: surgical.PauseSlack},
		"what waited for the pause is visible":            {pause: after(time.Hour), empty: after(time.Minute), now: after(time.Hour + surgical.PauseSlack), look: true},
		"what waited for the pause has begun":             {pause: after(time.Hour), empty: after(time.Hour + surgical.PauseSlack), now: after(2 * time.Hour)},
		"a pause that ended before the run was requested": {pause: after(-time.Minute), empty: after(time.Minute), now: after(time.Hour)},
		"deliveries have waited for too long":             {now: after(surgical.Settle + surgical.TurnPatience)},
		"but not since the pause":                         {pause: after(time.Hour), now: after(time.Hour + time.Minute), look: true},
	} {
		t.Run(name, func(t *testing.T) {
			turn := surgical.Turn{Asked: asked, Pause: c.pause, Empty: c.empty}
			if wait, look := turn.Wait(c.now); wait != c.wait || look != c.look {
				t.Errorf("wait %s, look %t; want %s, %t", wait, look, c.wait, c.look)
			}
		})
	}
}
