package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
)

func TestProcess_WaitsUntilEarlierDeliveriesHaveBegun(t *testing.T) {
	w := newWorld(t)
	waiting, received, looked, fail := 1, 1, 0, error(nil)
	w.Engine.Deliveries = func(context.Context) (int, int, error) {
		looked++
		return waiting, received, fail
	}
	req, later := w.Request(surgical.OriginBackfill, issue7), w.Request(surgical.OriginReconcile, mr12)
	want(t, w.deliver(req), worker.Wait{After: surgical.TurnDelay})
	fail = errors.New("SQS is away")
	if verdict, err := w.Deliver(req); err == nil {
		t.Errorf("%v although the deliveries could not be counted", verdict)
	}
	waiting, fail = 0, nil
	want(t, w.deliver(req), worker.Wait{After: surgical.TurnGrace})
	if run, err := w.Ledger.Run(t.Context(), req.RunID); err == nil {
		t.Errorf("the run is %s before its turn", run.Status)
	}
	w.Clock.Advance(surgical.TurnGrace)
	waiting = 1 // accepted since
	want(t, w.deliver(req), worker.Done{})
	want(t, w.deliver(later), worker.Done{})
	if looked != 3 {
		t.Errorf("looked %d times, want 3: a later run that was requested before need not look", looked)
	}
	want(t, w.deliver(w.Request(surgical.OriginBackfill, issue7)), worker.Wait{After: surgical.TurnDelay})
	w.Clock.Advance(time.Minute)
	want(t, w.deliver(w.Request(surgical.OriginWebhook, issue7)), worker.Done{})
	if looked != 4 {
		t.Errorf("a webhook looked for others")
	}
	waiting, received = 0, 0
	want(t, w.deliver(w.Request(surgical.OriginBackfill, mr12)), worker.Done{}) // nothing is before it
}
