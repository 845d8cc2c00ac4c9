package worker_test

import (
	"context"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
)

const roomSize = 1 << 20 // far more than the demo's entities have

// taking makes each fetch take so many bytes more than it reads.
func (w *world) taking(bytes int64) {
	fetch := w.Engine.Fetch
	w.Engine.Room = room.New(roomSize)
	w.Engine.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		if !room.From(ctx).Take(bytes) {
			return surgical.Snapshot{Ref: ref, Requests: 1}, surgical.RunTooLarge()
		}
		return fetch(ctx, ref)
	}
}

// process waits until the request has settled and processes it once.
func (w *world) process(req surgical.Request, isolated bool) worker.Verdict {
	msg := w.Message(req)
	w.Clock.AdvanceTo(msg.NotBefore)
	return w.Engine.Process(w.T.Context(), msg, isolated)
}

// A run that fills the room fails permanently only if it had all of it.
func TestProcess_RepeatsARunAloneThatIsTooLargeBesideOthers(t *testing.T) {
	w := newWorld(t)
	w.taking(roomSize * 4 / 10)
	other := w.Engine.Room.Share(false)
	other.Take(roomSize * 3 / 10)
	req := w.Request(surgical.OriginManual, issue7, mr12)
	want(t, w.process(req, false), worker.Isolate{})
	if run := w.wantRun(req.RunID, surgical.StatusRunning, surgical.CodeEntityTooLarge); !run.Error.Retryable || !run.LeaseUntil.IsZero() {
		t.Errorf("it waits with %+v, its lease until %v", run.Error, run.LeaseUntil)
	}
	other.Leave()
	want(t, w.process(req, true), worker.Done{})
	w.wantRun(req.RunID, surgical.StatusRunning, "")
	if !w.Engine.Room.Share(false).Take(roomSize) {
		t.Error("the runs left something in the room")
	}
}

func TestProcess_FailsARunForGoodThatIsTooLargeAlone(t *testing.T) {
	w := newWorld(t)
	w.taking(roomSize * 6 / 10)
	req := w.Request(surgical.OriginManual, issue7, mr12)
	want(t, w.process(req, true), worker.Done{})
	run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
	f := run.Error.Failures
	if len(f) != 1 || f[0].Code != surgical.CodeEntityTooLarge || f[0].Retryable || f[0].Action != surgical.ActionFixRequest {
		t.Errorf("failures %+v", f)
	}
	if w.head(issue7).Exists() || w.head(mr12).Exists() {
		t.Error("something was committed")
	}
}

// If only the rate of requests keeps a run from ending in time, more attempts do
// not help. Less than the whole time proves nothing, nor do few requests.
func TestProcess_FailsARunForGoodThatTakesTooManyRequests(t *testing.T) {
	for name, c := range map[string]struct {
		requests     int
		alone, short bool
		verdict      worker.Verdict
		stillWaits   bool
	}{
		"alone, in all its time": {requests: 380, alone: true},
		"beside others":          {requests: 380, stillWaits: true, verdict: worker.Isolate{}},
		"in less time":           {requests: 380, alone: true, short: true, stillWaits: true},
		"with few requests":      {requests: 49, alone: true, stillWaits: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Engine.Fetch = func(_ context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
				took := surgical.PreflightTime
				if c.short {
					took -= time.Second
				}
				w.Clock.Advance(took)
				return surgical.Snapshot{Ref: ref, Requests: c.requests}, surgical.WrapError(surgical.CodeGitLabTimeout, surgical.ErrNoTime, "no time")
			}
			req := w.Request(surgical.OriginManual, issue7)
			verdict := w.process(req, c.alone)
			if c.verdict != nil {
				want(t, verdict, c.verdict)
			}
			if c.stillWaits {
				if run := w.Run(req.RunID); run.Status != surgical.StatusRunning || !run.Error.Retryable {
					t.Errorf("the run is %s, %v", run.Status, run.Error)
				}
				return
			}
			want(t, verdict, worker.Done{})
			run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
			if f := run.Error.Failures; len(f) != 1 || f[0].Code != surgical.CodeEntityTooLarge || f[0].Retryable {
				t.Errorf("failures %+v", f)
			}
		})
	}
}
