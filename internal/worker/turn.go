package worker

import (
	"context"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// turn returns how long the run of a pass waits for deliveries that were accepted before
// it was requested. Other runs do not wait.
func (e *Engine) turn(ctx context.Context, run surgical.Run, seen sight, now time.Time) (time.Duration, error) {
	if !run.Origin.Yields() {
		return 0, nil
	}
	turn := surgical.Turn{Asked: run.EventAt, Pause: seen.pause, Empty: seen.empty}
	wait, look := turn.Wait(now)
	if !look {
		return wait, nil
	}
	waiting, received, err := e.Deliveries(ctx)
	switch {
	case err != nil:
		return 0, err
	case waiting > 0:
		return surgical.TurnDelay + e.Jitter(time.Second), nil
	case received == 0:
		return 0, nil // nothing was accepted that has not begun
	}
	// now was read before the queue was looked at.
	next := seen.empty.Then(now)
	if next == seen.empty {
		return seen.empty.Last.Add(surgical.TurnGrace).Sub(now), nil
	}
	return surgical.TurnGrace, e.Ledger.SetEmptiness(ctx, seen.empty, next)
}
