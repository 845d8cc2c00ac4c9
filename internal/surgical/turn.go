package surgical

import "time"

// Turn decides when the run of a pass may begin to fetch, so that it overtakes no
// delivery that was accepted before the run was requested. Such a delivery is visible in
// requests.fifo by the time that the run is due. If the queue was seen without a waiting
// message after that, a worker had received it, and [TurnGrace] later its fetch has begun.
type Turn struct {
	// Asked is when the run was requested.
	Asked time.Time
	// Pause is the end of the newest pause, zero without one: messages that waited for it
	// are hidden for a little longer.
	Pause time.Time
	// Empty is when requests.fifo was last seen without a message that waits.
	Empty time.Time
}

// Wait returns how long the run has to wait. look reports that it depends on whether
// messages wait in requests.fifo now.
func (t Turn) Wait(now time.Time) (wait time.Duration, look bool) {
	due := later(t.Asked.Add(Settle), t.Pause.Add(PauseSlack))
	switch {
	case now.Before(due):
		return due.Sub(now), false
	case !t.Empty.Before(due):
		return max(0, t.Empty.Add(TurnGrace).Sub(now)), false
	}
	// A message can wait behind another one of its entity for hours.
	return 0, now.Sub(due) < TurnPatience
}
