package invariants_test

import (
	"context"

	"slices"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// The tests in this file have the names from the pipeline's specification.
func TestSpecified(t *testing.T) {
	t.Run("preflight_success_then_ingest_failure_rolls_back_all_content_writes", func(t *testing.T) {
		engines.Run(t, func(t *testing.T, e engines.Engine) {
			failing := false
			db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
				if failing && call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), e.Tables.Content) {
					failing = false
					return &smithy.GenericAPIError{Code: "ValidationException", Message: "Item size has exceeded the maximum allowed size"}
				}
				return send()
			})
			w := cloud.NewWorld(t, db, e.Tables)
			issue, mr := fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)
			w.Sync(w.Request(surgical.OriginManual, issue, mr))
			before := []content.Entity{w.Entity(issue), w.Entity(mr)}

			w.GitLab.AddDiscussion(issue, fakegitlab.Note{Body: "new"})
			w.GitLab.Relabel(mr, []string{"new"}, nil)
			failing = true
			req := w.Request(surgical.OriginManual, issue, mr)
			if verdict, err := w.Deliver(req); err != nil || !cloud.Deleted(verdict) {
				t.Fatalf("verdict %v, error %v", verdict, err)
			}
			run := w.Run(req.RunID)
			if run.Status != surgical.StatusFailed || run.Error.Code != surgical.CodeIngestFailed {
				t.Errorf("the run is %s with %v", run.Status, run.Error)
			}
			if diff := cmp.Diff(before, []content.Entity{w.Entity(issue), w.Entity(mr)}); diff != "" {
				t.Errorf("readers see a difference (-before +after):\n%s", diff)
			}
			if jobs, err := w.Ledger.Jobs(t.Context(), req.RunID); err != nil || len(jobs) > 0 {
				t.Errorf("jobs %v, error %v", jobs, err)
			}
			// The staged items are gone in the end.
			w.Clock.Advance(time.Hour)
			if report := w.Sweep(); report.Expired == 0 {
				t.Error("the sweeper found nothing that was staged")
			}
			if left := w.Orphans(issue); len(left) > 0 {
				t.Errorf("orphans without an expiry: %v", left)
			}
		})
	})

	t.Run("stale_payload_is_skipped_when_local_updated_at_is_newer", func(t *testing.T) {
		onEngines(t, func(t *testing.T, w *cloud.World) {
			ref := fakegitlab.IssueRef(7)
			w.Webhook(ref)
			w.Clock.Advance(time.Minute)
			real := w.Fetch
			var newer content.Entity
			req := w.Request(surgical.OriginManual, ref)
			overtaken := false
			w.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
				stale, err := real(ctx, ref)
				if !overtaken {
					overtaken = true
					w.GitLab.Relabel(ref, []string{"newer"}, nil)
					w.Sync(w.Request(surgical.OriginManual, ref))
					newer = w.Entity(ref)
				}
				return stale, err
			}
			run := w.Sync(req)
			want := map[surgical.Target]surgical.Outcome{ref.Target: {Status: surgical.EntitySkippedStale, Revision: newer.Revision}}
			if diff := cmp.Diff(want, run.Outcomes); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(newer, w.Entity(ref)); diff != "" {
				t.Errorf("the newer copy was touched:\n%s", diff)
			}
		})
	})

	t.Run("failed_run_aborts_pending_scoped_jobs", func(t *testing.T) {
		onEngines(t, func(t *testing.T, w *cloud.World) {
			req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12))
			if _, err := w.Deliver(req); err != nil {
				t.Fatal(err)
			}
			jobs, err := w.Ledger.Jobs(t.Context(), req.RunID)
			if err != nil || len(jobs) != 2 {
				t.Fatalf("jobs %v, error %v", jobs, err)
			}
			if _, err := w.Ledger.ClaimJob(t.Context(), jobs[0], 1, time.Minute); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: workflow.Input{RunID: req.RunID, Generation: 1}, Stage: "docs", Error: "Permanent"}); err != nil {
				t.Fatal(err)
			}
			run := w.Run(req.RunID)
			if run.Status != surgical.StatusFailed || run.Error.Code != surgical.CodeDocsFailed {
				t.Errorf("the run is %s with %v", run.Status, run.Error)
			}
			jobs, err = w.Ledger.Jobs(t.Context(), req.RunID)
			if err != nil {
				t.Fatal(err)
			}
			for _, job := range jobs {
				if job.Status != surgical.JobAborted || job.AbortedReason != "docs_failed" {
					t.Errorf("job %s is %s for %q", job.ID, job.Status, job.AbortedReason)
				}
			}
			if run.Counters.JobsAborted != 2 {
				t.Errorf("%d jobs aborted", run.Counters.JobsAborted)
			}
		})
	})

	t.Run("surgical_no_docs_requires_no_embed", func(t *testing.T) {
		req := surgical.Request{
			RunID: "m1", ProjectID: 1, Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}},
			Origin: surgical.OriginManual, EventAt: time.Unix(1, 0), Options: surgical.Options{NoDocs: true},
		}
		if err := req.Validate(); surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Errorf("only no_docs: %v", err)
		}
		req.Options.NoEmbed = true
		if err := req.Validate(); err != nil {
			t.Errorf("no_docs with no_embed: %v", err)
		}
	})

	t.Run("surgical_docs_scope_ignores_preexisting_dirty_rows_for_same_entity", func(t *testing.T) {
		onEngines(t, func(t *testing.T, w *cloud.World) {
			ref := fakegitlab.IssueRef(7)
			w.Webhook(ref)
			first := w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "left to the drain"})
			quiet := w.Request(surgical.OriginManual, ref)
			quiet.Options = surgical.Options{NoDocs: true, NoEmbed: true}
			w.Sync(quiet)
			left, err := w.Ledger.DirtySources(t.Context(), ref)
			if err != nil || len(left) != 1 {
				t.Fatalf("dirty sources %v, error %v", left, err)
			}

			second := w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "rendered now"})
			w.Webhook(ref)
			documents, err := w.Content.SomeDocuments(t.Context(), ref, []string{"discussion#" + first, "discussion#" + second})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := documents["discussion#"+first]; ok {
				t.Error("a document of the older dirty row was written")
			}
			if _, ok := documents["discussion#"+second]; !ok {
				t.Error("the run's own document was not written")
			}
			still, err := w.Ledger.DirtySources(t.Context(), ref)
			if diff := cmp.Diff(left, still); err != nil || diff != "" {
				t.Errorf("error %v; the older dirty row was touched:\n%s", err, diff)
			}
		})
	})
}
