package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
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

// If only the rate of requests keeps a run from ending in time again and again, more
// attempts do not help. Less than the whole time proves nothing, nor do few requests.
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
			for attempt := 1; ; attempt++ {
				verdict := w.process(req, c.alone)
				if c.verdict != nil {
					want(t, verdict, c.verdict)
				}
				if !c.stillWaits && attempt == surgical.MaxUnfinished {
					want(t, verdict, worker.Done{})
					break
				}
				if run := w.Run(req.RunID); run.Status != surgical.StatusRunning || !run.Error.Retryable {
					t.Fatalf("the run is %s after attempt %d, %v", run.Status, attempt, run.Error)
				}
				if attempt == surgical.MaxUnfinished {
					return
				}
				w.Clock.Advance(surgical.MaxDelay)
			}
			run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
			if f := run.Error.Failures; len(f) != 1 || f[0].Code != surgical.CodeEntityTooLarge || f[0].Retryable {
				t.Errorf("failures %+v", f)
			}
		})
	}
}

// large makes each fetch take so long, and bring the issue with so many discussions
// of 60 KB more, which are stored as they are. Requests are sent before: a bubble's
// time stands while they are under way.
func (w *world) large(discussions int) func(took time.Duration) {
	snap, err := w.Engine.Fetch(w.T.Context(), issue7)
	if err != nil {
		w.T.Fatal(err)
	}
	text := strings.Repeat("x", 60_000)
	for i := range discussions {
		raw := json.RawMessage(fmt.Sprintf(`{"id":"d%d","notes":[{"id":%d,"internal":false,"body":"%s"}]}`, i, 100_000+i, text))
		snap.Children = append(snap.Children, surgical.Child{Kind: surgical.KindDiscussion, ID: fmt.Sprintf("d%d", i), Raw: raw})
	}
	snap.Notes, snap.Comments = surgical.ReadNotes(snap.Children)
	return func(took time.Duration) {
		w.Engine.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
			fetched := snap
			fetched.FetchedAt = w.Clock.Now()
			time.Sleep(took)
			fetched.FetchedUntil = w.Clock.Now()
			return fetched, nil
		}
	}
}

// What a throttled table delays, and what its own size keeps from ending, look the
// same until the times are compared.
func TestProcess_TellsARunThatIsTooLargeFromOneThatIsThrottled(t *testing.T) {
	const waits = "running ingest_failed true"
	for name, c := range map[string]struct {
		fetch       time.Duration
		discussions int
		// rate is how many write units a second the partition takes.
		rate    float64
		time    time.Duration
		crowded bool // other runs share the worker
		down    int  // attempts that failed before, because GitLab was down
		want    []string
	}{
		"small, of a table that takes nothing":   {10 * time.Second, 0, 0, surgical.WorkerTimeout, false, 0, []string{waits, waits, waits, waits}},
		"large, of a table that takes little":    {10 * time.Second, 64, 20, surgical.WorkerTimeout, false, 0, []string{waits, waits, waits}},
		"large, with time enough":                {60 * time.Second, 320, 1000, surgical.WorkerTimeout, false, 0, []string{"running  false"}},
		"too large":                              {94 * time.Second, 320, 1000, surgical.WorkerTimeout, false, 0, []string{waits, waits, "failed entity_too_large false"}},
		"too large for what is left of a worker": {34 * time.Second, 320, 1000, surgical.WorkerTimeout / 2, false, 0, []string{waits, waits, waits}},
		"too large beside others":                {94 * time.Second, 320, 1000, surgical.WorkerTimeout, true, 0, []string{"running entity_too_large true"}},
		"throttled beside others, but not large": {10 * time.Second, 0, 0, surgical.WorkerTimeout, true, 0, []string{waits}},
		"too large, after an outage":             {94 * time.Second, 320, 1000, surgical.WorkerTimeout, false, 2, []string{waits}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fetchTakes := w.large(c.discussions)
			synctest.Test(t, func(t *testing.T) {
				w.Clock.Follow()
				fetchTakes(c.fetch)
				w.around = (&faults.Partitions{Table: "content", Rate: c.rate, Burst: c.rate}).Around
				req := w.Request(surgical.OriginManual, issue7)
				time.Sleep(time.Minute)
				healthy := w.Engine.Fetch
				w.Engine.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
					return surgical.Snapshot{}, surgical.NewError(surgical.CodeGitLabUnavailable, "down")
				}
				for range c.down {
					w.Engine.Process(t.Context(), w.Message(req), !c.crowded)
					time.Sleep(surgical.MaxDelay)
				}
				w.Engine.Fetch = healthy
				for i, want := range c.want {
					ctx, cancel := context.WithTimeout(t.Context(), c.time)
					verdict := w.Engine.Process(ctx, w.Message(req), !c.crowded)
					if ctx.Err() != nil {
						t.Error("the attempt outlasted its function")
					}
					cancel()
					time.Sleep(surgical.MaxDelay)
					run := w.Run(req.RunID)
					got := fmt.Sprintf("%s  false", run.Status)
					if run.Error != nil {
						got = fmt.Sprintf("%s %s %t", run.Status, run.Error.Code, run.Error.Retryable)
					}
					if got != want || run.LostLeases != 0 {
						t.Errorf("after attempt %d, the run is %s with %d lost leases, want %s: %v", i+1, got, run.LostLeases, want, run.Error)
					}
					if run.FailedAttempts != int64(c.down+i+1) && run.Status == surgical.StatusRunning && !run.Committed() {
						t.Errorf("%d failed attempts, want %d", run.FailedAttempts, c.down+i+1)
					}
					if isolate := verdict == (worker.Isolate{}); isolate != run.Crowded || isolate != strings.HasSuffix(want, "too_large true") {
						t.Errorf("verdict %v, crowded %t", verdict, run.Crowded)
					}
					if run.Status == surgical.StatusFailed && (!strings.Contains(run.Error.Message, "1000 write units a second") || run.Error.Failures[0].Target != issue7.Target) {
						t.Errorf("it failed with %+v", run.Error)
					}
				}
			})
		})
	}
}

// A run that was too large beside others is not fetched again beside others, however
// often it is delivered before there is room.
func TestProcess_IsolatesACrowdedRunBeforeItFetches(t *testing.T) {
	w := newWorld(t)
	w.taking(roomSize * 4 / 10)
	other := w.Engine.Room.Share(false)
	other.Take(roomSize * 9 / 10)
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.process(req, false), worker.Isolate{})
	before := w.Run(req.RunID)
	if !before.Crowded {
		t.Fatalf("run %+v", before)
	}
	other.Leave()
	for range 3 {
		want(t, w.process(req, false), worker.Isolate{})
	}
	if run := w.Run(req.RunID); run.Attempt != before.Attempt || w.fetches != 0 {
		t.Errorf("%d attempts, %d fetches", run.Attempt, w.fetches)
	}
	want(t, w.process(req, true), worker.Done{})
	w.wantRun(req.RunID, surgical.StatusRunning, "")
}

func TestProcess_GivesUpACrowdedRunByAge(t *testing.T) {
	w := newWorld(t)
	w.GitLab.Inject(fakegitlab.Fault{Ref: issue7, Requests: 1, Status: http.StatusServiceUnavailable})
	req := w.Request(surgical.OriginManual, issue7)
	w.process(req, false)
	w.Clock.AdvanceTo(w.Run(req.RunID).FirstClaimedAt.Add(surgical.GiveUpAfter))
	w.taking(roomSize * 4 / 10)
	w.Engine.Room.Share(false).Take(roomSize)
	want(t, w.process(req, false), worker.Done{})
	if run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodeEntityTooLarge); run.Error.Action != surgical.ActionRetryFailed || !run.Error.Retryable {
		t.Errorf("it failed with %+v", run.Error)
	}
}

// Cleaning up leaves time to start the workflow: a worker that is killed in the middle
// takes the runs of its other lanes along.
func TestProcess_StartsTheWorkflowHoweverLongTheCleanupTakes(t *testing.T) {
	w := newWorld(t)
	w.Webhook(issue7)
	w.GitLab.Edit(issue7, func(c *fakegitlab.Common) { c.Title = "Another title" })
	ctx, cancel := context.WithTimeout(t.Context(), surgical.WorkerTimeout)
	defer cancel()
	killed, _ := ctx.Deadline()
	cleanups := 0
	w.around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if in, ok := call.Input.(*dynamodb.UpdateItemInput); !ok || *in.TableName != w.Tables.Content {
			return send()
		}
		cleanups++
		if until, ok := ctx.Deadline(); !ok || killed.Sub(until) < surgical.ThrottleReserve {
			t.Errorf("the cleanup may take until %v before the worker is killed", killed.Sub(until))
		}
		return context.DeadlineExceeded
	}
	req := w.Request(surgical.OriginManual, issue7)
	msg := w.Message(req)
	w.Clock.AdvanceTo(msg.NotBefore)
	launches := w.launches
	want(t, w.Engine.Process(ctx, msg, true), worker.Done{})
	if run := w.Run(req.RunID); cleanups == 0 || w.launches != launches+1 || !run.SweepPending {
		t.Errorf("%d cleanups, %d launches; left to the sweeper: %t", cleanups, w.launches-launches, run.SweepPending)
	}
}
