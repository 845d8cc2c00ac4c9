package invariants_test

import (
	"context"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/demogitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/pipelinetest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
)

// A redelivery by GitLab (another message) of an event whose documents could
// not be regenerated does so at last, although the content is unchanged.
func TestInvariant10ARetryDoesWhatTheFailedRunLeftUndoneEvenIfNothingChanged(t *testing.T) {
	onEngines(t, func(t *testing.T, w *pipelinetest.World) {
		ref := demogitlab.IssueRef(7)
		req := w.Request(surgical.OriginWebhook, ref)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		w.Workflow.Forget()
		if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: workflow.Input{RunID: req.RunID, Generation: 1}, Stage: "docs"}); err != nil {
			t.Fatal(err)
		}
		again := w.Message(req)
		again.ID = "another message"
		w.Clock.Advance(10 * time.Second)
		verdict, err := w.Processor.Process(t.Context(), again)
		if err != nil || !verdict.Delete {
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

func TestAJobThatNoTryCanDoIsMarkedAsFailed(t *testing.T) {
	onEngines(t, func(t *testing.T, w *pipelinetest.World) {
		w.Embed.Stage = hopeless{w.Embed.Stage}
		req := w.Request(surgical.OriginManual, demogitlab.IssueRef(7))
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

// hopeless is a stage that no try gets through.
type hopeless struct{ workflow.Stage }

// Do implements workflow.Stage.
func (hopeless) Do(_ context.Context, _ surgical.Run, job surgical.Job, _ func() bool) (surgical.Job, ledger.Done, bool, error) {
	e := surgical.NewError(surgical.CodeEmbedFailed, "hopeless")
	e.Retryable = false
	return job, ledger.Done{}, false, e
}
