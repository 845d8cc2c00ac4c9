package invariants_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// GitLab redelivers (in another message) an event whose documents could not be
// regenerated. This time they are, although the content is unchanged.
func TestInvariant10ARetryDoesWhatTheFailedRunLeftUndoneEvenIfNothingChanged(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		req := w.Request(surgical.OriginWebhook, ref)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		w.Workflow.Forget()
		if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: workflow.Input{RunID: req.RunID, Generation: 1}, Stage: "docs", Error: "Permanent"}); err != nil {
			t.Fatal(err)
		}
		again := w.Message(req)
		again.ID = "another message"
		w.Clock.Advance(10 * time.Second)
		verdict, err := w.Process(again)
		if err != nil || !cloud.Deleted(verdict) {
			t.Fatalf("verdict %v, error %v", verdict, err)
		}
		w.Drive()
		retry := w.Run(w.Run(req.RunID).RetriedBy)
		if retry.Status != surgical.StatusSucceeded || retry.RetryOf != req.RunID || retry.Counters.ChildrenWritten != 0 {
			t.Errorf("the retry is %s, wrote %d children: %v", retry.Status, retry.Counters.ChildrenWritten, retry.Error)
		}
		documents, err := w.Content.Documents(t.Context(), ref)
		if want := 1 + len(w.GitLab.Discussions(ref)); err != nil || len(documents) != want {
			t.Errorf("%d documents, want %d; error %v", len(documents), want, err)
		}
	})
}

// aborted delivers the request and makes its docs stage fail.
func aborted(t *testing.T, w *cloud.World, req surgical.Request) surgical.Run {
	t.Helper()
	if _, err := w.Deliver(req); err != nil {
		t.Fatal(err)
	}
	w.Workflow.Forget()
	if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: workflow.Input{RunID: req.RunID, Generation: 1}, Stage: "docs", Error: "Permanent"}); err != nil {
		t.Fatal(err)
	}
	return w.Run(req.RunID)
}

// retry returns the request that retries the run.
func retry(t *testing.T, w *cloud.World, run surgical.Run) surgical.Request {
	t.Helper()
	req := w.Request(surgical.OriginRetry, run.Refs()...)
	req.RunID, req.RetryOf, req.IdempotencyKey = surgical.RunID(surgical.OriginRetry, run.RunID), run.RunID, ""
	if _, err := w.Ledger.Retry(t.Context(), run, req, ""); err != nil {
		t.Fatal(err)
	}
	return req
}

func documentsOfAll(t *testing.T, w *cloud.World, ref surgical.EntityRef) {
	t.Helper()
	documents, err := w.Content.Documents(t.Context(), ref)
	if want := 1 + len(w.GitLab.Discussions(ref)); err != nil || len(documents) != want {
		t.Errorf("%d documents, want %d; error %v", len(documents), want, err)
	}
}

func TestInvariant10ARetryOfARetryDoesWhatTheFirstRunLeftUndone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		first := aborted(t, w, w.Request(surgical.OriginManual, ref))
		w.GitLab.Inject(fakegitlab.Fault{Ref: ref, Endpoint: "entity", Requests: 1, Status: http.StatusForbidden})
		second := retry(t, w, first)
		if _, err := w.Deliver(second); err != nil {
			t.Fatal(err)
		}
		failed := w.Run(second.RunID)
		if failed.Status != surgical.StatusFailed {
			t.Fatalf("the retry is %s", failed.Status)
		}
		w.Sync(retry(t, w, failed))
		documentsOfAll(t, w, ref)
	})
}

func TestInvariant10ARetryThatIsOvertakenStillDoesWhatWasLeftUndone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		req := retry(t, w, aborted(t, w, w.Request(surgical.OriginManual, ref)))
		real := w.Fetch
		w.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
			snap, err := real(ctx, ref)
			if err == nil {
				overtake(t, w, real, ref)
			}
			return snap, err
		}
		if run := w.Sync(req); run.Outcomes[ref.Target].Status != surgical.EntitySkippedStale {
			t.Errorf("the retry's outcome is %+v", run.Outcomes)
		}
		documentsOfAll(t, w, ref)
	})
}

// overtake commits a later fetch of the entity by another run, without
// documents.
func overtake(t *testing.T, w *cloud.World, fetch cloud.Fetch, ref surgical.EntityRef) {
	t.Helper()
	snap, err := fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	commitAs(t, w, snap)
}

// commitAs commits the snapshot in its own run.
func commitAs(t *testing.T, w *cloud.World, snap surgical.Snapshot) {
	t.Helper()
	req := w.Request(surgical.OriginReconcile, snap.Ref)
	run, err := w.Ledger.Claim(t.Context(), surgical.Run{Request: req}, surgical.Claim{Request: req, MessageID: "m", Lease: surgical.Lease})
	if err != nil {
		t.Fatal(err)
	}
	if result, err := w.Engine.Ingest(t.Context(), run, []surgical.Snapshot{snap}, worker.Before{}); err != nil || !isCommitted(result) {
		t.Fatalf("the other run: %+v, error %v", result, err)
	}
}

func isCommitted(result worker.Ingested) bool {
	_, ok := result.(worker.Committed)
	return ok
}

func TestAJobThatNoTryCanDoIsMarkedAsFailed(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		w.LeaveToEmbed, w.Embed.Work = true, hopeless{w.Embed.Work}
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		w.Drive()
		run := w.Run(req.RunID)
		if run.Status != surgical.StatusFailed || run.Error.Code != surgical.CodeEmbedFailed {
			t.Errorf("the run is %s with %v", run.Status, run.Error)
		}
		jobs, err := w.Ledger.Jobs(t.Context(), req.RunID)
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			want := surgical.JobDone
			if job.Type == surgical.JobEmbed {
				want = surgical.JobFailed
			}
			if job.Status != want {
				t.Errorf("job %s is %s", job.ID, job.Status)
			}
		}
	})
}

// hopeless is work that fails every time.
type hopeless struct{ workflow.Work }

// Do implements workflow.Work.
func (hopeless) Do(context.Context, surgical.Run, *surgical.Job, *workflow.Budget) (ledger.Done, error) {
	e := surgical.NewError(surgical.CodeEmbedFailed, "hopeless")
	e.Retryable = false
	return ledger.Done{}, e
}
