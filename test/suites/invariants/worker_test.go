package invariants_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// deliveries is a queue that records the calls of a batch.
type deliveries struct {
	delayed map[string]int32
	dead    []string
}

// Delay implements worker.Queue.
func (d *deliveries) Delay(_ context.Context, record events.SQSMessage, seconds int32) error {
	if d.delayed == nil {
		d.delayed = map[string]int32{}
	}
	d.delayed[record.MessageId] = seconds
	return nil
}

// DeadLetter implements worker.Queue.
func (d *deliveries) DeadLetter(_ context.Context, record events.SQSMessage) error {
	d.dead = append(d.dead, record.MessageId)
	return nil
}

func failures(response events.SQSEventResponse) []string {
	ids := []string{}
	for _, f := range response.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	slices.Sort(ids)
	return ids
}

func TestMessagesOfOneGroupInOneBatchShareOneFetch(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		var batch events.SQSEvent
		var runs []string
		for range 3 {
			req := w.Request(surgical.OriginWebhook, ref)
			batch.Records = append(batch.Records, w.Record(req))
			runs = append(runs, req.RunID)
			w.Clock.Advance(time.Second)
		}
		w.Clock.Advance(surgical.Settle)
		queue := &deliveries{}
		response, err := w.Batch(queue).Handle(t.Context(), batch)
		if err != nil || len(response.BatchItemFailures) > 0 || response.BatchItemFailures == nil {
			t.Fatalf("response %+v, error %v", response, err)
		}
		w.Drive()
		requests := int64(0)
		for i, id := range runs {
			run := w.Run(id)
			requests += run.Counters.GitLabRequests
			if run.Status != surgical.StatusSucceeded || (run.CoalescedWith == "") != (i == 0) {
				t.Errorf("run %d is %s, coalesced with %q", i, run.Status, run.CoalescedWith)
			}
		}
		if requests != 5 {
			t.Errorf("%d requests to GitLab", requests)
		}
	})
}

func TestRequestsByHandInOneBatchShareOneFetchIfTheyWantTheSame(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		options := []surgical.Options{{}, {}, {NoDocs: true, NoEmbed: true}, {NoDocs: true, NoEmbed: true}, {PreflightOnly: true}}
		var batch events.SQSEvent
		var runs []string
		for _, o := range options {
			req := w.Request(surgical.OriginManual, ref)
			req.Options = o
			batch.Records = append(batch.Records, w.Record(req))
			runs = append(runs, req.RunID)
		}
		w.Clock.Advance(surgical.Settle + time.Second)
		if response, err := w.Batch(&deliveries{}).Handle(t.Context(), batch); err != nil || len(response.BatchItemFailures) > 0 {
			t.Fatalf("response %+v, error %v", response, err)
		}
		w.Drive()
		var coalesced []bool
		for _, id := range runs {
			run := w.Run(id)
			coalesced = append(coalesced, run.CoalescedWith != "")
			if run.Status != surgical.StatusSucceeded || (run.CoalescedWith != "") != (run.Counters.GitLabRequests == 0) {
				t.Errorf("run %s is %s after %d requests, coalesced with %q", id, run.Status, run.Counters.GitLabRequests, run.CoalescedWith)
			}
		}
		if diff := cmp.Diff([]bool{false, true, false, true, false}, coalesced); diff != "" {
			t.Errorf("coalesced (-want +got):\n%s", diff)
		}
	})
}

func TestNoFetchBeginsBeforeItCoversTheNewestEventOfItsGroup(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		first := w.Request(surgical.OriginWebhook, ref)
		w.Clock.Advance(10 * time.Second)
		second := w.Request(surgical.OriginWebhook, ref)
		queue := &deliveries{}
		response, err := w.Batch(queue).Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{w.Record(first), w.Record(second)}})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"message-" + first.RunID, "message-" + second.RunID}
		slices.Sort(want)
		if diff := cmp.Diff(want, failures(response)); diff != "" {
			t.Errorf("left for later (-want +got):\n%s", diff)
		}
		if _, err := w.Ledger.Run(t.Context(), first.RunID); surgical.CodeOf(err) != surgical.CodeRunNotFound {
			t.Errorf("the first run was started: %v", err)
		}
	})
}

func TestARateLimitDelaysTheWholeGroupInOrderAndPausesAllWorkers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		limited, neighbour := fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)
		w.GitLab.Inject(fakegitlab.Fault{Ref: limited, Requests: 5, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}})
		first, second := w.Request(surgical.OriginManual, limited), w.Request(surgical.OriginManual, limited)
		garbage := w.Record(second)
		garbage.MessageId, garbage.Body = "garbage", "{"
		w.Clock.Advance(surgical.Settle + time.Second)
		queue := &deliveries{}
		response, err := w.Batch(queue).Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{w.Record(first), w.Record(second), garbage}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"message-" + first.RunID, "message-" + second.RunID} {
			if seconds := queue.delayed[id]; seconds != 30 || !slices.Contains(failures(response), id) {
				t.Errorf("message %s is delayed by %d s and reported: %v", id, seconds, failures(response))
			}
		}
		run := w.Run(first.RunID)
		if run.Status != surgical.StatusRunning || !run.LeaseUntil.IsZero() || run.FailedAttempts != 1 || run.LostLeases != 0 {
			t.Errorf("the run: %s, lease until %v, %d failed attempts", run.Status, run.LeaseUntil, run.FailedAttempts)
		}
		other := w.Request(surgical.OriginManual, neighbour)
		if verdict, err := w.Deliver(other); err != nil || cloud.Deleted(verdict) || cloud.After(verdict) < 20*time.Second {
			t.Errorf("a worker continued during the pause: verdict %v after %v, error %v", verdict, cloud.After(verdict), err)
		}
		w.Clock.Advance(31 * time.Second)
		w.Sync(other)
	})
}

func TestARunWhoseWorkersDieGoesToTheDeadLettersAsLost(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginWebhook, fakegitlab.IssueRef(7))
		run := surgical.Run{Request: req}
		for range 5 {
			var err error
			if run, err = w.Ledger.Claim(t.Context(), run, surgical.Claim{Request: req, MessageID: "message-" + req.RunID, Lease: surgical.Lease}); err != nil {
				t.Fatal(err)
			}
			if verdict, err := w.Deliver(req); err != nil || cloud.Deleted(verdict) || cloud.After(verdict) <= 0 {
				t.Fatalf("under a live lease: verdict %v, error %v", verdict, err)
			}
			w.Clock.Advance(surgical.Lease + time.Second)
		}
		queue := &deliveries{}
		response, err := w.Batch(queue).Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{w.Record(req)}})
		if err != nil || len(response.BatchItemFailures) > 0 || len(queue.dead) != 1 {
			t.Errorf("response %+v, dead letters %v, error %v", response, queue.dead, err)
		}
		if run := w.Run(req.RunID); run.Status != surgical.StatusFailed || run.Error.Code != surgical.CodeRunLost {
			t.Errorf("the run is %s with %v", run.Status, run.Error)
		}
	})
}

func TestAZombieCannotCommitAfterItsRunWasTakenOver(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		req := w.Request(surgical.OriginManual, ref)
		claim := surgical.Claim{Request: req, MessageID: "m", Lease: surgical.Lease}
		zombie, err := w.Ledger.Claim(t.Context(), surgical.Run{Request: req}, claim)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(surgical.Lease + time.Second)
		old, err := w.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		// The run belongs to another attempt, which has not committed yet.
		if _, err := w.Ledger.Claim(t.Context(), zombie, claim); err != nil {
			t.Fatal(err)
		}
		if result, err := w.Engine.Ingest(t.Context(), zombie, []surgical.Snapshot{old}, worker.Before{}); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("the zombie's ingest: %+v, error %v", result, err)
		}
		if head, err := w.Content.Head(t.Context(), ref); err != nil || head.Exists() || w.Run(req.RunID).Committed() {
			t.Errorf("the zombie committed: head %+v, error %v", head, err)
		}
	})
}

// hurried has time for only one batch per generation.
type hurried struct{ workflow.Work }

// Do implements workflow.Work.
func (h hurried) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *workflow.Budget) (ledger.Done, error) {
	left := 1
	return h.Work.Do(ctx, run, job, &workflow.Budget{TimeLeft: func() bool { left--; return left >= 0 }, MayGoOn: budget.MayGoOn})
}

func TestAStageNearItsLimitHandsTheRestOnUntilAllIsDone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := many(t, w, 120)
		w.Docs.Work = hurried{w.Docs.Work}
		run := w.Webhook(ref)
		if run.Generation < 3 {
			t.Errorf("%d generations: nothing was handed on", run.Generation)
		}
		want := 1 + len(w.GitLab.Discussions(ref))
		documents, err := w.Content.Documents(t.Context(), ref)
		if err != nil || len(documents) != want || run.Counters.DocumentsRegenerated != int64(want) {
			t.Errorf("%d documents, %d regenerated, want %d; error %v", len(documents), run.Counters.DocumentsRegenerated, want, err)
		}
		embedded, err := w.Content.Embedded(t.Context(), ref)
		if err != nil || len(embedded) != want {
			t.Errorf("%d documents are embedded, want %d; error %v", len(embedded), want, err)
		}
	})
}

// A worker died while processing the run, and the next one's fetch failed in an
// orderly way. The run may kill again, and would take others of its batch with
// it.
func TestARunOverWhichAWorkerDiedStaysAloneAlsoAfterAFailureInOrder(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginWebhook, fakegitlab.IssueRef(7))
		msg := w.Message(req)
		w.Clock.AdvanceTo(msg.NotBefore)
		if _, err := w.Ledger.Claim(t.Context(), surgical.Run{Request: req}, surgical.Claim{Request: req, MessageID: msg.ID, Lease: surgical.Lease}); err != nil {
			t.Fatal(err)
		}
		real := w.Fetch
		w.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
			return surgical.Snapshot{}, surgical.NewError(surgical.CodeGitLabUnavailable, "away")
		}
		w.Clock.Advance(surgical.Lease)
		if verdict, err := w.Process(msg); cloud.Deleted(verdict) || err == nil {
			t.Fatalf("verdict %v, error %v", verdict, err)
		}
		w.Fetch = real
		w.Clock.Advance(time.Minute)
		if verdict := w.Engine.Process(t.Context(), msg, false); verdict != (worker.Isolate{Deaths: 1}) {
			t.Errorf("beside others: verdict %v, run %+v", verdict, w.Run(req.RunID))
		}
		w.Sync(req)
	})
}
