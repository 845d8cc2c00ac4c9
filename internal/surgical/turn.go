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
	// Empty says when requests.fifo was seen without a message that waits.
	Empty Emptiness
}

// Emptiness is when requests.fifo was last seen without a message that waits, and the
// time before that, at least [TurnGrace] earlier. One time would not do: were it replaced
// by every later one, a run could wait for ever while others are requested.
type Emptiness struct{ Last, Before time.Time }

// Then returns the emptiness after the queue was seen empty at the time. It is the same
// if that was too soon after the last time.
func (e Emptiness) Then(at time.Time) Emptiness {
	if at.Before(e.Last.Add(TurnGrace)) {
		return e
	}
	return Emptiness{Last: at, Before: e.Last}
}

// Wait returns how long the run has to wait. look reports that it depends on what is in
// requests.fifo now.
func (t Turn) Wait(now time.Time) (wait time.Duration, look bool) {
	due := later(t.Asked.Add(Settle), t.Pause.Add(PauseSlack))
	switch {
	case now.Before(due):
		return due.Sub(now), false
	case !t.Empty.Before.Before(due):
		return 0, false
	case !t.Empty.Last.Before(due):
		return max(0, t.Empty.Last.Add(TurnGrace).Sub(now)), false
	}
	// A message can wait behind another one of its entity for hours.
	return 0, now.Sub(due) < TurnPatience
}
