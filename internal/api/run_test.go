package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestASucceededRunIsShownWithAllThatItDid(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		run := f.Webhook(ref)
		got := get[api.SyncResult](f, "/v1/sync-runs/"+run.RunID)
		if got.TimingsMS.Preflight == nil || got.TimingsMS.Ingest == nil || got.TimingsMS.Docs == nil || got.TimingsMS.Embed == nil || got.TimingsMS.Total == nil {
			t.Errorf("timings: %+v", got.TimingsMS)
		} else if total := *got.TimingsMS.Total; total < surgical.Settle.Milliseconds() {
			t.Errorf("%d ms in total, want those since the event", total)
		}
		if len(got.Entities) != 1 || got.Entities[0].UpdatedAt.IsZero() {
			t.Fatalf("entities: %+v", got.Entities)
		}
		got.TimingsMS, got.Entities[0].UpdatedAt = api.TimingsView{}, time.Time{}
		target := api.TargetView{Type: surgical.Issue, IID: 7}
		want := api.SyncResult{
			RunSummary: api.RunSummary{
				RunID: run.RunID, ProjectID: 1, Origin: surgical.OriginWebhook, Status: surgical.StatusSucceeded, Stage: surgical.StageDone,
				Targets: []api.TargetView{target}, CreatedAt: run.CreatedAt, StartedAt: run.FirstClaimedAt, FinishedAt: run.FinishedAt, Attempts: 1,
			},
			Times: api.TimesView{
				Begun: run.BegunAt(), PreflightStarted: run.Marks.PreflightStarted, IngestStarted: run.Marks.IngestStarted, Committed: run.Marks.Committed,
				DocsStarted: run.Marks.DocsStarted, DocsEnded: run.Marks.DocsEnded, EmbedStarted: run.Marks.EmbedStarted, EmbedEnded: run.Marks.EmbedEnded,
			},
			Counters: api.CountersView(run.Counters), DocumentsRegenerated: run.Counters.DocumentsRegenerated,
			SkippedStaleIIDs: api.IIDsView{Issues: []int64{}, MergeRequests: []int64{}},
			FailedIIDs:       api.IIDsView{Issues: []int64{}, MergeRequests: []int64{}},
			NotAttemptedIIDs: api.IIDsView{Issues: []int64{}, MergeRequests: []int64{}},
			Entities:         []api.EntityRowView{{TargetView: target, Stage: got.Entities[0].Stage, Status: surgical.EntityOK, Attempted: true}},
			Jobs: api.JobsView{
				Docs: map[surgical.JobStatus]int{surgical.JobDone: 1},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got.DocumentsRegenerated == 0 || got.Counters.GitLabRequests != 5 {
			t.Errorf("counters: %+v", got.Counters)
		}
	})
}

func TestARunThatIsCommittedShowsItsOutcomesBeforeItEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		req := f.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12))
		if _, err := f.Deliver(req); err != nil {
			t.Fatal(err)
		}
		got := get[api.SyncResult](f, "/v1/sync-runs/"+req.RunID)
		if got.Status != surgical.StatusRunning || got.TimingsMS.Total != nil || got.TimingsMS.Docs != nil || !got.FinishedAt.IsZero() {
			t.Errorf("%s, timings %+v", got.Status, got.TimingsMS)
		}
		if len(got.Entities) != 2 || got.Entities[0].Status != surgical.EntityOK || got.Jobs.Docs[surgical.JobPending] != 2 {
			t.Errorf("entities %+v, jobs %+v", got.Entities, got.Jobs)
		}
	})
}

func TestAFailedPreflightIsShownWithEveryFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		var refs []surgical.EntityRef
		for iid := int64(7); iid <= 9; iid++ {
			refs = append(refs, fakegitlab.IssueRef(iid))
		}
		refs = append(refs, fakegitlab.IssueRef(404), fakegitlab.MergeRequestRef(405))
		req := f.Request(surgical.OriginManual, refs...)
		if _, err := f.Deliver(req); err != nil {
			t.Fatal(err)
		}
		got := get[api.SyncResult](f, "/v1/sync-runs/"+req.RunID)
		if got.Status != surgical.StatusFailed || got.ErrorCode != surgical.CodePreflightFailed || got.Error == nil {
			t.Fatalf("%+v", got)
		}
		if got.Error.Total != 5 || len(got.Error.Failures) != 2 || got.Error.Action != surgical.ActionRetryFailed {
			t.Errorf("error %+v", got.Error)
		}
		for _, failure := range got.Error.Failures {
			if failure.Code != surgical.CodeGitLabNotFound || failure.Action != surgical.ActionVerifyIID || failure.Message == "" {
				t.Errorf("failure %+v", failure)
			}
		}
		want := api.IIDsView{Issues: []int64{7, 8, 9, 404}, MergeRequests: []int64{405}}
		if diff := cmp.Diff(want, got.FailedIIDs); diff != "" {
			t.Errorf("failed iids (-want +got):\n%s", diff)
		}
		aborted := 0
		for _, e := range got.Entities {
			if e.Code == surgical.CodeAbortedByPeer {
				aborted++
			}
		}
		if aborted != 3 {
			t.Errorf("%d targets were aborted by a peer, want 3", aborted)
		}
		for _, e := range got.Entities {
			if e.Attempted == (e.Code == surgical.CodeAbortedByPeer) {
				t.Errorf("%+v", e)
			}
		}
		if diff := cmp.Diff(api.IIDsView{Issues: []int64{7, 8, 9}, MergeRequests: []int64{}}, got.NotAttemptedIIDs); diff != "" {
			t.Errorf("not attempted (-want +got):\n%s", diff)
		}
	})
}

func TestACoalescedRunNamesWhatCoversItAndShowsNoPreflight(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		early := f.Request(surgical.OriginWebhook, ref)
		covering := f.Webhook(ref)
		f.Sync(early)
		got := get[api.SyncResult](f, "/v1/sync-runs/"+early.RunID)
		if got.CoalescedWith != covering.RunID || got.TimingsMS.Preflight != nil || got.TimingsMS.Total == nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestASkippedTargetIsCountedAndNamed(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		early := f.Request(surgical.OriginManual, ref)
		slow, err := f.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		f.Webhook(ref)
		f.Fetch = stale(slow)
		f.Sync(early)
		got := get[api.SyncResult](f, "/v1/sync-runs/"+early.RunID)
		if got.SkippedStale != 1 || len(got.SkippedStaleIIDs.Issues) != 1 || got.SkippedStaleIIDs.Issues[0] != 7 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnUnknownRunIsNotFound(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		p := problemIn(t, call(f.handler, http.MethodGet, "/v1/sync-runs/mabc234", ""), http.StatusNotFound)
		if p.Code != surgical.CodeRunNotFound || p.Action != surgical.ActionFixRequest {
			t.Errorf("%+v", p)
		}
	})
}
