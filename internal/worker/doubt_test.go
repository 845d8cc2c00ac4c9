package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// empty makes GitLab return an empty list from the endpoint.
func (w *world) empty(ref surgical.EntityRef, endpoint string, requests int) {
	w.GitLab.Inject(fakegitlab.Fault{Ref: ref, Endpoint: endpoint, Requests: requests, Status: http.StatusOK, Header: http.Header{"X-Total": {"0"}}, Body: "[]"})
}

func TestProcess_DoubtsAnEmptyListOfWhichTheCopyHasRecords(t *testing.T) {
	for endpoint, says := range map[string]string{
		"discussions":               "discussions of project 1 issue#7: GitLab returned 0 records, and the copy has 4",
		"resource_state_events":     "resource_state_events of project 1 issue#7: GitLab returned 0 records, and the copy has 2",
		"resource_label_events":     "resource_label_events of project 1 issue#7: GitLab returned 0 records, and the copy has 3",
		"resource_milestone_events": "resource_milestone_events of project 1 issue#7: GitLab returned 0 records, and the copy has 1",
	} {
		t.Run(endpoint, func(t *testing.T) {
			w := newWorld(t)
			w.Webhook(issue7)
			before := w.head(issue7)
			w.Clock.Advance(time.Hour)
			w.empty(issue7, endpoint, 1)
			req := w.Request(surgical.OriginManual, issue7, mr12)
			want(t, w.deliver(req), worker.Wait{After: surgical.FirstDelay / 2})
			run := w.wantRun(req.RunID, surgical.StatusRunning, surgical.CodeGitLabUnavailable)
			if !strings.HasPrefix(run.Error.Message, says) || len(run.Error.Failures) != 1 || run.Error.Failures[0].Target != issue7.Target || run.Error.Total != 2 {
				t.Errorf("waits for %+v", run.Error)
			}
			if w.head(issue7).Revision != before.Revision || w.head(mr12).Exists() {
				t.Error("content was written")
			}
			w.Clock.Advance(time.Minute)
			want(t, w.deliver(req), worker.Done{})
			if outcome := w.Run(req.RunID).Outcomes[issue7.Target]; outcome.Status != surgical.EntityOK || outcome.Changed {
				t.Errorf("outcome %+v, although nothing was lost", outcome)
			}
		})
	}
}

// The time counts from the end of the first doubtful fetch, for each target by
// itself.
func TestProcess_BelievesAListThatStaysEmptyForTheConfirmationTime(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginManual, issue7, mr12))
	w.Clock.Advance(time.Hour)
	w.empty(issue7, "resource_state_events", 1000)
	req := w.Request(surgical.OriginManual, issue7, mr12)
	w.deliver(req)
	since := w.Run(req.RunID).DoubtedSince[issue7.Target]
	if since.IsZero() {
		t.Fatalf("run %+v", w.Run(req.RunID))
	}
	w.Clock.AdvanceTo(since.Add(surgical.Confirmation - time.Second))
	if wait, ok := w.deliver(req).(worker.Wait); !ok {
		t.Fatalf("believed too early: %v", wait)
	}
	// Another list is emptied later: it is doubted by itself, and the first target
	// keeps its time.
	w.empty(mr12, "discussions", 1)
	w.Clock.AdvanceTo(since.Add(surgical.Confirmation))
	if wait, ok := w.deliver(req).(worker.Wait); !ok {
		t.Fatalf("another target was believed at once: %v", wait)
	}
	if run := w.Run(req.RunID); !run.DoubtedSince[issue7.Target].Equal(since) || len(run.Error.Failures) != 1 || run.Error.Failures[0].Target != mr12.Target {
		t.Errorf("doubted since %v, want %v; %+v", run.DoubtedSince, since, run.Error)
	}
	w.Clock.Advance(time.Minute)
	want(t, w.deliver(req), worker.Done{})
	if outcome := w.Run(req.RunID).Outcomes[issue7.Target]; outcome.Status != surgical.EntityOK || !outcome.Changed {
		t.Errorf("outcome %+v", outcome)
	}
	if events := w.Entity(issue7).Events[surgical.KindStateEvent]; len(events) > 0 {
		t.Errorf("%d events are left", len(events))
	}
}

// GitLab's own count of comments explains that they are gone.
func TestProcess_AcceptsDeletedCommentsAtOnce(t *testing.T) {
	w := newWorld(t)
	ref := fakegitlab.IssueRef(70)
	w.GitLab.SetIssue(fakegitlab.NewIssue(70, "Short", "", fakegitlab.Time{Time: w.Clock.Now()}))
	for range 2 {
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "A comment."})
	}
	w.Webhook(ref)
	for _, d := range w.GitLab.Discussions(ref) {
		w.GitLab.DeleteDiscussion(ref, d.ID)
	}
	w.Clock.Advance(time.Hour)
	req := w.Request(surgical.OriginManual, ref)
	want(t, w.deliver(req), worker.Done{})
	if entity := w.Entity(ref); len(entity.Discussions) > 0 {
		t.Errorf("%d discussions are left", len(entity.Discussions))
	}
}

func TestProcess_StoresAnEntityThatHasEmptyLists(t *testing.T) {
	w := newWorld(t)
	w.empty(issue7, "discussions", 1)
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.deliver(req), worker.Done{})
	if !w.head(issue7).Exists() {
		t.Error("there is no copy")
	}
}
