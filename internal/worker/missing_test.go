package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// hides lists the hide runs that are queued.
func (w *world) hides() []surgical.Run {
	w.T.Helper()
	var hides []surgical.Run
	for id, err := range w.Ledger.OpenRuns(w.T.Context(), surgical.StatusQueued, w.Clock.Now().Add(time.Hour)) {
		if err != nil {
			w.T.Fatal(err)
		}
		if run := w.Run(id); run.Origin == surgical.OriginHide {
			hides = append(hides, run)
		}
	}
	return hides
}

// miss lets a request find nothing, and returns the hide run that it leaves.
func (w *world) miss(origin surgical.Origin, ref surgical.EntityRef) surgical.Run {
	w.T.Helper()
	req := w.Request(origin, ref)
	w.deliver(req)
	w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
	hides := w.hides()
	if len(hides) != 1 || hides[0].Refs()[0] != ref {
		w.T.Fatalf("hide runs %+v, want one of %s", hides, ref)
	}
	return hides[0]
}

// drive lets the worker and the workflow complete the run.
func (w *world) drive(run surgical.Run) surgical.Run {
	w.T.Helper()
	w.Sync(run.Request)
	return w.Run(run.RunID)
}

func TestProcess_HidesWhatGitLabNoLongerShows(t *testing.T) {
	for name, remove := range map[string]func(*world){
		"deleted":      func(w *world) { w.GitLab.Delete(issue7) },
		"out of sight": func(w *world) { w.GitLab.HideEntity(issue7, true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Sync(w.Request(surgical.OriginWebhook, issue7))
			before := w.head(issue7)
			remove(w)
			w.Clock.Advance(surgical.Confirmation)
			hide := w.miss(surgical.OriginManual, issue7)
			if got := w.head(issue7); got.Revision != before.Revision {
				t.Errorf("a 404 alone hid it: %+v", got)
			}
			run := w.drive(hide)
			if run.Status != surgical.StatusSucceeded || run.Outcomes[issue7.Target] != (surgical.Outcome{Status: surgical.EntityOK, Revision: 2, Changed: true}) {
				t.Errorf("the hide run %s, %v, %+v", run.Status, run.Error, run.Outcomes)
			}
			head := w.head(issue7)
			if !head.Gone || head.Attributes.Title != "" || head.Attributes.Author != nil || !head.UpdatedAt.Equal(before.UpdatedAt) || head.DocumentsVisibleFrom != 2 || head.ChangedRevision != 2 {
				t.Errorf("the tombstone %+v", head)
			}
			if _, err := w.Shown().Read(t.Context(), issue7); surgical.CodeOf(err) != surgical.CodeEntityGone {
				t.Errorf("it is read: %v", err)
			}
			w.wantNothingOf(issue7)
			if f := w.pending(issue7); f == nil || !f.ConfirmAt.Equal(f.NotBefore) || f.NotBefore.Sub(run.Marks.Committed) > surgical.Confirmation || f.NotBefore.Before(head.FetchedUntil.Add(surgical.Confirmation)) {
				t.Errorf("the verifying fetch %+v after %v", f, run.Marks.Committed)
			}
			// The verifying fetch does not find it either, and nothing more follows.
			verify := w.followUp(issue7)
			w.wantRun(verify.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
			if len(w.hides()) > 0 || w.pending(issue7) != nil {
				t.Errorf("there is no end: %+v, %+v", w.hides(), w.pending(issue7))
			}
		})
	}
}

// wantNothingOf checks that neither documents, embeddings nor vectors of the entity
// are stored, and that all of its children expire.
func (w *world) wantNothingOf(ref surgical.EntityRef) {
	w.T.Helper()
	documents, err := w.Content.Documents(w.T.Context(), ref)
	if err != nil || len(documents) > 0 {
		w.T.Errorf("%d documents are left, %v", len(documents), err)
	}
	embedded, err := w.Content.Embedded(w.T.Context(), ref)
	if err != nil || len(embedded) > 0 {
		w.T.Errorf("embeddings of %v are left, %v", embedded, err)
	}
	for _, item := range w.Rows(w.Tables.Content) {
		if sk := text(item["sk"]); text(item["pk"]) == "P#"+ref.Key() && sk != "head" && item["expires_at"] == nil {
			w.T.Errorf("%s does not expire", sk)
		}
	}
}

func TestProcess_BringsBackWhatGitLabShowsAgain(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	documents := len(w.documents(issue7))
	w.GitLab.HideEntity(issue7, true)
	w.Clock.Advance(surgical.Confirmation)
	w.drive(w.miss(surgical.OriginManual, issue7))
	w.GitLab.HideEntity(issue7, false)
	// Everything that the tombstone left expires, and none of it is named again.
	verify := w.followUp(issue7)
	w.Drive()
	if verify.Origin != surgical.OriginFollowUp || !verify.Confirms {
		t.Errorf("the verifying fetch %+v", verify.Request)
	}
	if _, err := cloud.Expire(t.Context(), w.DB, w.Tables.Content); err != nil {
		t.Fatal(err)
	}
	if entity, err := w.Shown().Read(t.Context(), issue7); err != nil || entity.Gone || entity.Attributes.Title == "" || len(w.documents(issue7)) != documents {
		t.Errorf("%v, head %+v, %d documents", err, entity.Head, len(w.documents(issue7)))
	}
}

func text(value types.AttributeValue) string {
	if s, ok := value.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func (w *world) documents(ref surgical.EntityRef) []content.Document {
	w.T.Helper()
	documents, err := w.Content.Documents(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	return documents
}

// A replica may not have a new entity yet.
func TestProcess_BelievesA404OnlyAfterTheConfirmationTime(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.HideEntity(issue7, true)
	w.Clock.Advance(time.Minute)
	run := w.drive(w.miss(surgical.OriginManual, issue7))
	head := w.head(issue7)
	if head.Gone || run.Status != surgical.StatusSucceeded || run.Outcomes[issue7.Target].Status != surgical.EntitySkippedStale {
		t.Fatalf("head %+v, run %s %+v", head, run.Status, run.Outcomes)
	}
	if f := w.pending(issue7); f == nil || !f.NotBefore.Equal(head.FetchedUntil.Add(surgical.Confirmation)) {
		t.Fatalf("the second look %+v, after %v", f, head.FetchedUntil)
	}
	if second := w.followUp(issue7); second.Status != surgical.StatusFailed {
		t.Errorf("the second look %+v", second)
	}
	if hides := w.hides(); len(hides) != 1 {
		t.Fatalf("hide runs %+v", hides)
	}
	if w.drive(w.hides()[0]); !w.head(issue7).Gone {
		t.Errorf("head %+v", w.head(issue7))
	}
}

func TestProcess_AHideRunThatFindsTheEntityStoresAndVerifiesIt(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.HideEntity(issue7, true)
	w.Clock.Advance(surgical.Confirmation)
	hide := w.miss(surgical.OriginManual, issue7)
	w.GitLab.HideEntity(issue7, false)
	w.GitLab.Edit(issue7, func(c *fakegitlab.Common) { c.Title = "new" })
	run := w.drive(hide)
	if head := w.head(issue7); head.Gone || head.Attributes.Title != "new" || run.Outcomes[issue7.Target].Status != surgical.EntityOK {
		t.Errorf("head %+v, run %+v", head, run.Outcomes)
	}
	if f := w.pending(issue7); f == nil || !f.ConfirmAt.Equal(f.NotBefore) {
		t.Errorf("the verifying fetch %+v", f)
	}
}

func TestProcess_HidesNothingIfTheProjectIsOutOfSight(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.HideProject(issue7.ProjectID, true)
	w.Clock.Advance(surgical.Confirmation)
	hide := w.miss(surgical.OriginManual, issue7)
	w.deliver(hide.Request)
	w.wantRun(hide.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
	if w.head(issue7).Gone || len(w.hides()) > 0 || w.pending(issue7) != nil {
		t.Errorf("head %+v, hide runs %+v", w.head(issue7), w.hides())
	}
	if p, err := w.Ledger.Project(t.Context(), issue7.ProjectID); err != nil || p.UnseenSince.IsZero() {
		t.Errorf("it is not recorded that the project is out of sight: %+v, %v", p, err)
	}
}

// Otherwise nothing would fetch the entity again once the project is back.
func TestProcess_ARunOfAPassDoesNotEndBeforeItIsRecordedThatItsProjectIsOutOfSight(t *testing.T) {
	for status, outOfSight := range map[int]func(w *world){
		http.StatusNotFound:  func(w *world) { w.GitLab.HideProject(issue7.ProjectID, true) },
		http.StatusForbidden: func(w *world) { w.GitLab.Inject(fakegitlab.Fault{Status: http.StatusForbidden, Requests: 100}) },
	} {
		for _, fault := range []faults.Kind{faults.ServerError, faults.WriteConflict} {
			t.Run(fmt.Sprint(status, " ", fault), func(t *testing.T) { endsOnceRecorded(t, outOfSight, fault) })
		}
	}
}

func endsOnceRecorded(t *testing.T, outOfSight func(w *world), fault faults.Kind) {
	w := newWorld(t)
	outOfSight(w)
	w.around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if fault.Hits(call) && slices.Contains(call.Tables(), w.Tables.Projects) {
			return fault.Do(ctx, call, send)
		}
		return send()
	}
	req := w.Request(surgical.OriginBackfill, issue7)
	w.deliver(req)
	run := w.Run(req.RunID)
	if why := run.Error; run.Status.Terminal() || fault == faults.WriteConflict && why.Code != surgical.CodeDependencyUnavailable {
		t.Fatalf("the run is %s, its failure %v", run.Status, why)
	}
	w.around = nil
	w.Clock.Advance(surgical.MaxDelay)
	w.deliver(req)
	run = w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
	p, err := w.Ledger.Project(t.Context(), issue7.ProjectID)
	if err != nil || p.UnseenSince.IsZero() || run.Error.Failures[0].Code != surgical.CodeGitLabForbidden {
		t.Errorf("%+v, %v, %+v", p, err, run.Error)
	}
}

// Whatever else an unreachable GitLab answers hides nothing either, and is tried
// again.
func TestProcess_AHideRunWaitsForAnAnswerAboutTheProject(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.Delete(issue7)
	w.Clock.Advance(surgical.Confirmation)
	hide := w.miss(surgical.OriginManual, issue7)
	project := w.Engine.Project
	limited := surgical.NewError(surgical.CodeGitLabRateLimited, "slow down")
	limited.RetryAfter = time.Hour
	w.Engine.Project = func(context.Context, int64) (int, error) { return 1, limited }
	want(t, w.deliver(hide.Request), worker.Wait{After: time.Hour})
	if pause, err := w.Ledger.Pause(t.Context()); err != nil || pause.Sub(w.Clock.Now()) < time.Hour-time.Second {
		t.Errorf("the workers pause until %v, %v", pause, err)
	}
	w.Engine.Project = project
	w.Clock.Advance(time.Hour)
	if w.drive(hide); !w.head(issue7).Gone {
		t.Errorf("head %+v", w.head(issue7))
	}
}

func TestProcess_HidesEveryMissingTargetThatHasACopy(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginManual, issue7, mr12))
	w.GitLab.Delete(issue7)
	w.GitLab.Delete(mr12)
	w.Clock.Advance(surgical.Confirmation)
	req := w.Request(surgical.OriginManual, issue7, mr12, fakegitlab.IssueRef(999))
	w.deliver(req)
	if run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed); len(run.Error.Failures) != 3 {
		t.Errorf("%+v", run.Error)
	}
	var hidden []surgical.EntityRef
	for _, hide := range w.hides() {
		hidden = append(hidden, hide.Refs()...)
	}
	if len(hidden) != 2 || !slices.Contains(hidden, issue7) || !slices.Contains(hidden, mr12) {
		t.Errorf("hide runs of %v", hidden)
	}
}

func TestProcess_APreflightHidesNothing(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.Delete(issue7)
	w.Clock.Advance(surgical.Confirmation)
	req := w.Request(surgical.OriginManual, issue7)
	req.Options.PreflightOnly = true
	w.deliver(req)
	w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed)
	if hides := w.hides(); len(hides) > 0 {
		t.Errorf("%+v", hides)
	}
}

// A tombstone must not be put over a copy that was committed since.
func TestProcess_ATombstoneYieldsToANewerCopy(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.HideEntity(issue7, true)
	w.Clock.Advance(surgical.Confirmation)
	hide := w.miss(surgical.OriginManual, issue7)
	w.during = func() { // the hide run's 404 was answered
		w.GitLab.HideEntity(issue7, false)
		w.deliver(w.Request(surgical.OriginManual, issue7))
	}
	run := w.drive(hide)
	if head := w.head(issue7); head.Gone || run.Outcomes[issue7.Target].Status != surgical.EntitySkippedStale || w.pending(issue7) == nil {
		t.Errorf("head %+v, run %+v, follow-up %+v", head, run.Outcomes, w.pending(issue7))
	}
}
