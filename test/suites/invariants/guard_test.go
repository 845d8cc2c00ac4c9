package invariants_test

import (
	"context"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// overlapping makes another run commit in the middle of each fetch, left times:
// its fetch started before ours ended, and too early to cover the event
// received at eventAt.
func overlapping(t *testing.T, w *cloud.World, eventAt time.Time, left int) *int {
	fetches := 0
	real := w.Fetch
	w.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		fetches++
		snap, err := real(ctx, ref)
		if err == nil && left > 0 {
			left--
			other := snap
			other.FetchedAt = eventAt.Add(surgical.Settle)
			if head, headErr := w.Content.Head(ctx, ref); headErr != nil || head.FetchedUntil.After(other.FetchedAt) {
				other.FetchedAt = head.FetchedUntil
			}
			other.FetchedUntil = snap.FetchedAt.Add(time.Microsecond)
			commitAs(t, w, other)
		}
		return snap, err
	}
	return &fetches
}

func TestInvariant9AFetchThatTheGuardRefusesIsSkippedOnlyIfTheHeadCoversTheEvent(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginWebhook, fakegitlab.IssueRef(7))
		fetches := overlapping(t, w, req.EventAt, 1)
		run := w.Sync(req)
		if got := run.Outcomes[req.Targets[0]].Status; got != surgical.EntityOK || *fetches != 2 {
			t.Errorf("the target is %s after %d fetches, want ok after 2", got, *fetches)
		}
	})
}

func TestARefusedFetchIsRepeatedOnceAndThenWaits(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
		// The second head would cover the event if its fetch could start where
		// the first one's ended, so its event is later.
		fetches := overlapping(t, w, req.EventAt, 2)
		req.EventAt = req.EventAt.Add(time.Hour)
		msg := w.Message(req)
		msg.NotBefore = time.Time{}
		w.Clock.Advance(surgical.Settle + time.Second)
		verdict, err := w.Process(msg)
		if cloud.Deleted(verdict) || surgical.CodeOf(err) != surgical.CodeIngestFailed || *fetches != 2 {
			t.Errorf("verdict %v after %d fetches, error %v", verdict, *fetches, err)
		}
		if run := w.Run(req.RunID); run.Status != surgical.StatusRunning || run.FailedAttempts != 1 || !run.LeaseUntil.IsZero() {
			t.Errorf("the run is %s after %d failed attempts", run.Status, run.FailedAttempts)
		}
	})
}

// A lagging replica later responds with an older updated_at.
func TestInvariant3AnAnswerOfALaggingReplicaIsSkippedAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		old, err := w.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		w.GitLab.Relabel(ref, []string{"new"}, nil)
		req := w.Request(surgical.OriginManual, ref)
		w.Clock.Advance(surgical.Settle + time.Second)
		w.Sync(w.Request(surgical.OriginManual, ref))
		w.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
			snap := old
			snap.FetchedAt, snap.FetchedUntil = w.Clock.Now(), w.Clock.Now()
			return snap, nil
		}
		run := w.Sync(req)
		if run.Outcomes[ref.Target].Status != surgical.EntitySkippedStale || run.Attempt != 1 {
			t.Errorf("outcomes %+v after %d attempts", run.Outcomes, run.Attempt)
		}
	})
}

func TestABusyEntityIsFetchedForWebhooksEveryFiveSecondsAtMost(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		w.Webhook(ref)
		w.Clock.Advance(time.Second)
		req := w.Request(surgical.OriginWebhook, ref)
		verdict, err := w.Deliver(req)
		if err != nil || cloud.Deleted(verdict) || cloud.After(verdict) < time.Second || cloud.After(verdict) > 5*time.Second {
			t.Fatalf("verdict %v after %v, error %v", verdict, cloud.After(verdict), err)
		}
		if _, err := w.Ledger.Run(t.Context(), req.RunID); surgical.CodeOf(err) != surgical.CodeRunNotFound {
			t.Errorf("the run was started: %v", err)
		}
		w.Clock.Advance(cloud.After(verdict))
		w.Sync(req)
	})
}

func TestInvariant7ARepeatedDocsStageCountsWhatIsNotEmbeddedNotWhatItWrote(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		w.LeaveToEmbed = true
		ref := fakegitlab.IssueRef(7)
		req := w.Request(surgical.OriginManual, ref)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		jobs, err := w.Ledger.Jobs(t.Context(), req.RunID)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("jobs %v, error %v", jobs, err)
		}
		// The stage writes its documents and dies before it reports them.
		if _, err := w.Docs.Work.Do(t.Context(), w.Run(req.RunID), &jobs[0], &workflow.Budget{TimeLeft: func() bool { return true }}); err != nil {
			t.Fatal(err)
		}
		w.Drive()
		embedded, err := w.Content.Embedded(t.Context(), ref)
		want := 1 + len(w.GitLab.Discussions(ref))
		if run := w.Run(req.RunID); err != nil || len(embedded) != want || run.Counters.DocumentsRegenerated != int64(want) {
			t.Errorf("%d documents are embedded, %d counted, want %d; error %v", len(embedded), run.Counters.DocumentsRegenerated, want, err)
		}
	})
}

func TestWhatIsHiddenStaysHiddenByLaterCommits(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		w.Webhook(ref)
		w.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		for range 2 {
			if _, err := w.Deliver(w.Request(surgical.OriginManual, ref)); err != nil {
				t.Fatal(err)
			}
			head, err := w.Content.Head(t.Context(), ref)
			if err != nil || head.DocumentsVisibleFrom != 2 {
				t.Errorf("revision %d shows documents from revision %d on, error %v", head.Revision, head.DocumentsVisibleFrom, err)
			}
			w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "later"})
		}
	})
}

func TestFinishEndsQuietlyWhileAJobIsOpen(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		result, err := w.Finish.Handle(t.Context(), workflow.Input{RunID: req.RunID, Generation: 1})
		if run := w.Run(req.RunID); err != nil || result.Outcome != workflow.Yielded || run.Status != surgical.StatusRunning {
			t.Errorf("outcome %s, the run is %s, error %v", result.Outcome, run.Status, err)
		}
	})
}

func TestAnExecutionThatANewerGenerationOvertookLeavesTheRunAlone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		if err := w.Ledger.WorkflowStarted(t.Context(), w.Run(req.RunID), 2, false); err != nil {
			t.Fatal(err)
		}
		old := workflow.Input{RunID: req.RunID, Generation: 1}
		result, err := w.Docs.Handle(t.Context(), old)
		if err != nil || result.Outcome != workflow.Yielded {
			t.Errorf("docs: %s, error %v", result.Outcome, err)
		}
		if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: old, Stage: "docs", Error: "Permanent"}); err != nil {
			t.Fatal(err)
		}
		run := w.Run(req.RunID)
		if documents, err := w.Content.Documents(t.Context(), fakegitlab.IssueRef(7)); err != nil || len(documents) > 0 || run.Status != surgical.StatusRunning {
			t.Errorf("%d documents, the run is %s, error %v", len(documents), run.Status, err)
		}
	})
}
