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
		pause, empty, before, now time.Time
		wait                      time.Duration
		look                      bool
	}{
		"an earlier delivery may not be visible yet":        {now: after(time.Second), wait: time.Second},
		"the queue was not looked at":                       {now: after(surgical.Settle), look: true},
		"it was empty before the run was requested":         {empty: after(-time.Minute), now: after(time.Minute), look: true},
		"it was empty before the delivery was visible":      {empty: after(surgical.Settle - 1), now: after(time.Minute), look: true},
		"it was just empty":                                 {empty: after(time.Minute), now: after(time.Minute), wait: surgical.TurnGrace},
		"it has been empty for some seconds":                {empty: after(time.Minute), now: after(time.Minute + 5*time.Second), wait: surgical.TurnGrace - 5*time.Second},
		"what was in it has begun":                          {empty: after(time.Minute), now: after(time.Minute + surgical.TurnGrace)},
		"it was empty once, however long ago":               {empty: after(surgical.Settle), now: after(24 * time.Hour)},
		"a pause has ended":                                 {pause: after(time.Hour), empty: after(time.Minute), now: after(time.Hour), wait: surgical.PauseSlack},
		"what waited for the pause is visible":              {pause: after(time.Hour), empty: after(time.Minute), now: after(time.Hour + surgical.PauseSlack), look: true},
		"what waited for the pause has begun":               {pause: after(time.Hour), empty: after(time.Hour + surgical.PauseSlack), now: after(2 * time.Hour)},
		"a pause that ended before the run was requested":   {pause: after(-time.Minute), empty: after(time.Minute), now: after(time.Hour)},
		"it was empty again since what was in it has begun": {before: after(surgical.Settle), empty: after(time.Minute), now: after(time.Minute)},
		"deliveries have waited for too long":               {now: after(surgical.Settle + surgical.TurnPatience)},
		"but not since the pause":                           {pause: after(time.Hour), now: after(time.Hour + time.Minute), look: true},
	} {
		t.Run(name, func(t *testing.T) {
			turn := surgical.Turn{Asked: asked, Pause: c.pause, Empty: surgical.Emptiness{Last: c.empty, Before: c.before}}
			if wait, look := turn.Wait(c.now); wait != c.wait || look != c.look {
				t.Errorf("wait %s, look %t; want %s, %t", wait, look, c.wait, c.look)
			}
		})
	}
}

// However many runs are requested after it, a run that has seen the queue empty begins.
func TestEmptinessThen_KeepsEveryRunFromWaitingForOthers(t *testing.T) {
	asked := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	var empty surgical.Emptiness
	turn := surgical.Turn{Asked: asked}
	now, next := asked, asked.Add(surgical.Settle)
	for ; ; now = now.Add(time.Second) { // every second another run looks, and sees no delivery
		empty = empty.Then(now)
		if now.Before(next) {
			continue
		}
		turn.Empty = empty
		wait, look := turn.Wait(now)
		if wait == 0 && !look {
			break
		}
		next = now.Add(max(wait, time.Second)).Add(3 * time.Second) // SQS is late
		if now.Sub(asked) > time.Hour {
			t.Fatal("the run waits for ever")
		}
	}
	if waited := now.Sub(asked); waited > surgical.Settle+3*surgical.TurnGrace {
		t.Errorf("the run waited for %s", waited)
	}
}
