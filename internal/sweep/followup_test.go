package sweep_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// follows makes a follow-up of issue 7 pending, as an attempt of the run does.
func (w *world) follows(run string, f surgical.FollowUp) {
	w.Helper()
	f.Ref, f.EventAt = issue(1, 7), epoch
	item, err := w.ledger.AddFollowUp(w.Context(), surgical.AttemptID{RunID: run, Number: 1}, f)
	w.must(err)
	w.must(dynamo.Transact(w.Context(), w.db, []types.TransactWriteItem{item}))
}

func TestSweeper_StartsAFollowUpOnceItIsDue(t *testing.T) {
	w := newWorld(t)
	evidence := surgical.Evidence{UpdatedAt: epoch, NoteID: 71, NoteAt: epoch, InternalNoteID: 72, InternalNoteAt: epoch, Confidential: true}
	w.follows("w1", surgical.FollowUp{NotBefore: epoch.Add(time.Minute), Evidence: evidence, TraceParent: request("w1").TraceParent})
	if report, err := w.sweepAt(time.Minute - time.Microsecond); err != nil || report.FollowedUp != 0 || len(w.requests.sent) > 0 {
		t.Fatalf("before its time: %+v, %v", report, err)
	}
	for range 2 {
		_, err := w.sweepAt(time.Minute)
		w.must(err)
	}
	if len(w.requests.sent) != 1 || len(w.bulk.sent) > 0 {
		t.Fatalf("sent %+v and %+v", w.requests.sent, w.bulk.sent)
	}
	sent := w.requests.sent[0]
	want := surgical.Request{
		RunID: sent.RunID, ProjectID: 1, Targets: []surgical.Target{issue(1, 7).Target}, Origin: surgical.OriginFollowUp,
		EventAt: epoch, NotBefore: epoch.Add(time.Minute), Evidence: evidence, TraceParent: request("w1").TraceParent,
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	run, err := w.ledger.Run(t.Context(), sent.RunID)
	if diff := cmp.Diff(want, run.Request); err != nil || run.Status != surgical.StatusQueued || diff != "" {
		t.Errorf("the run is %s, %v (-want +got):\n%s", run.Status, err, diff)
	}
}

func TestSweeper_MergesTheFollowUpsOfAnEntity(t *testing.T) {
	w := newWorld(t)
	w.follows("w1", surgical.FollowUp{NotBefore: epoch.Add(2 * time.Minute), Evidence: surgical.Evidence{NoteID: 71}})
	w.follows("w2", surgical.FollowUp{NotBefore: epoch.Add(time.Minute), ConfirmAt: epoch.Add(5 * time.Minute), Evidence: surgical.Evidence{NoteID: 70}})
	sent := func(after time.Duration) []surgical.Request {
		_, err := w.sweepAt(after)
		w.must(err)
		return w.requests.sent
	}
	if got := sent(time.Minute); len(got) != 1 || got[0].Evidence.NoteID != 71 || got[0].Confirms {
		t.Fatalf("at first: %+v", got)
	}
	// Only resent messages may come in between: what is pending is the confirmation.
	w.requests.sent = nil
	if got := sent(5*time.Minute - time.Microsecond); len(got) > 0 && got[0].Confirms {
		t.Fatalf("too early: %+v", got)
	}
	w.requests.sent = nil
	got := sent(5 * time.Minute)
	if len(got) == 0 || !got[len(got)-1].Confirms || !got[len(got)-1].NotBefore.Equal(epoch.Add(5*time.Minute)) {
		t.Fatalf("at last: %+v", got)
	}
}

// A crash, or a queue out of reach, between the row and its message leaves a run
// whose message is sent again.
func TestSweeper_SendsAFollowUpAgainWhoseMessageGotLost(t *testing.T) {
	w := newWorld(t)
	w.follows("w1", surgical.FollowUp{NotBefore: epoch})
	w.requests.err = errors.New("the queue is out of reach")
	if _, err := w.sweepAt(time.Second); err == nil {
		t.Error("the failure is not reported")
	}
	w.requests.err = nil
	_, err := w.sweepAt(2 * time.Minute)
	w.must(err)
	if len(w.requests.sent) != 1 || w.requests.sent[0].Origin != surgical.OriginFollowUp {
		t.Errorf("sent %+v", w.requests.sent)
	}
}

func TestSweeper_LeavesAFollowUpThatMovesInTheMeantime(t *testing.T) {
	w := newWorld(t)
	w.follows("w1", surgical.FollowUp{NotBefore: epoch.Add(time.Minute)})
	var pending surgical.FollowUp
	for f, err := range w.ledger.FollowUps(t.Context(), epoch.Add(time.Hour)) {
		w.must(err)
		pending = f
	}
	w.follows("w2", surgical.FollowUp{NotBefore: epoch.Add(2 * time.Minute), Evidence: surgical.Evidence{NoteID: 71}})
	w.now = epoch.Add(time.Minute)
	if _, err := w.ledger.BeginFollowUp(t.Context(), pending); !errors.Is(err, surgical.ErrMoved) {
		t.Errorf("begun although it moved: %v", err)
	}
	_, err := w.sweepAt(time.Minute)
	w.must(err)
	if len(w.requests.sent) != 1 || w.requests.sent[0].Evidence.NoteID != 71 {
		t.Errorf("sent %+v", w.requests.sent)
	}
}
