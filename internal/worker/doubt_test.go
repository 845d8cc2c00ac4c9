package worker_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
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
	since := w.Run(req.RunID).DoubtedSince[issue7.Target][surgical.KindStateEvent]
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
	if run := w.Run(req.RunID); !run.DoubtedSince[issue7.Target][surgical.KindStateEvent].Equal(since) || len(run.Error.Failures) != 1 || run.Error.Failures[0].Target != mr12.Target {
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

// Each list has a time of its own: one that is believed does not vouch for another.
func TestProcess_DoubtsEachListOfATargetByItself(t *testing.T) {
	w := newWorld(t)
	w.Webhook(issue7)
	before := w.head(issue7)
	w.Clock.Advance(time.Hour)
	w.empty(issue7, "resource_state_events", 1000)
	req := w.Request(surgical.OriginManual, issue7)
	w.deliver(req)
	since := w.Run(req.RunID).DoubtedSince[issue7.Target]
	w.empty(issue7, "resource_label_events", 1)
	w.Clock.AdvanceTo(since[surgical.KindStateEvent].Add(surgical.Confirmation))
	if wait, ok := w.deliver(req).(worker.Wait); !ok {
		t.Fatalf("the second list was believed at once: %v", wait)
	}
	run := w.Run(req.RunID)
	after := run.DoubtedSince[issue7.Target]
	if len(after) != 2 || !after[surgical.KindStateEvent].Equal(since[surgical.KindStateEvent]) || !after[surgical.KindLabelEvent].After(since[surgical.KindStateEvent]) {
		t.Errorf("doubted since %v after %v", after, since)
	}
	if !strings.HasPrefix(run.Error.Message, "resource_label_events") || w.head(issue7).Revision != before.Revision {
		t.Errorf("waits for %v, revision %d", run.Error, w.head(issue7).Revision)
	}
	w.Clock.Advance(time.Minute)
	want(t, w.deliver(req), worker.Done{})
	if events := w.Entity(issue7).Events; len(events[surgical.KindStateEvent]) > 0 || len(events[surgical.KindLabelEvent]) != 3 {
		t.Errorf("%d and %d events are left", len(events[surgical.KindStateEvent]), len(events[surgical.KindLabelEvent]))
	}
}

// A list that was seen whole is doubted anew, whatever its attempt failed with.
func TestProcess_ForgetsTheDoubtAboutAListThatItSawWhole(t *testing.T) {
	broken := errors.New("broken")
	for name, fails := range map[string]func(w *world){
		"another list": func(w *world) { w.empty(issue7, "resource_label_events", 1) },
		"the writing": func(w *world) {
			w.around = func(_ context.Context, call cloud.Call, send func() error) error {
				if call.Operation == "BatchWriteItem" {
					w.around = nil
					return broken
				}
				return send()
			}
		},
		"the race with other commits": func(w *world) {
			w.around = func(ctx context.Context, call cloud.Call, send func() error) error {
				if call.Operation == "TransactWriteItems" && call.Uses("content") {
					return faults.TransactionConflict.Do(ctx, call, send)
				}
				return send()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Webhook(issue7)
			w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "Something to write."})
			w.Clock.Advance(time.Hour)
			w.empty(issue7, "resource_state_events", 1)
			req := w.Request(surgical.OriginManual, issue7)
			w.deliver(req)
			if _, doubted := w.Run(req.RunID).DoubtedSince[issue7.Target][surgical.KindStateEvent]; !doubted {
				t.Fatalf("run %+v", w.Run(req.RunID))
			}
			w.Clock.Advance(surgical.Confirmation)
			fails(w)
			w.deliver(req)
			w.around = nil
			if since, doubted := w.Run(req.RunID).DoubtedSince[issue7.Target][surgical.KindStateEvent]; doubted {
				t.Errorf("still doubted since %v", since)
			}
			w.Clock.Advance(surgical.Confirmation)
			w.empty(issue7, "resource_state_events", 1)
			if wait, ok := w.deliver(req).(worker.Wait); !ok {
				t.Errorf("believed at once: %v", wait)
			}
		})
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
	ref := fakegitlab.IssueRef(70)
	w.GitLab.SetIssue(fakegitlab.NewIssue(70, "Short", "", fakegitlab.Time{Time: w.Clock.Now()}))
	req := w.Request(surgical.OriginManual, ref)
	want(t, w.deliver(req), worker.Done{})
	if !w.head(ref).Exists() {
		t.Error("there is no copy")
	}
}

// discussions makes GitLab return these pages, the next time that the list is read.
func (w *world) discussions(ref surgical.EntityRef, total string, pages ...string) {
	header := http.Header{}
	if total != "" {
		header.Set("X-Total", total)
	}
	for _, body := range pages {
		w.GitLab.Inject(fakegitlab.Fault{Ref: ref, Endpoint: "discussions", Requests: 1, Status: http.StatusOK, Header: header, Body: body})
	}
}

// Without a copy, GitLab's own count of comments shows that a list was emptied, or cut.
func TestProcess_DoubtsAFirstListWithFewerCommentsThanGitLabCounts(t *testing.T) {
	for name, c := range map[string]struct {
		total string
		pages []string
		says  string
	}{
		"an emptied list":                {"", []string{"[]", "[]"}, "discussions of project 1 issue#7: GitLab counts 5 comments and returned 0"},
		"an emptied list, with a total":  {"0", []string{"[]"}, "discussions of project 1 issue#7: GitLab counts 5 comments and returned 0"},
		"a list that was cut":            {"", []string{`[{"id":"a","notes":[{"id":1},{"id":2,"system":true}]}]`, "[]"}, "discussions of project 1 issue#7: GitLab counts 5 comments and returned 1"},
		"a list without the hidden ones": {"1", []string{`[{"id":"a","notes":[{"id":1}]}]`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.discussions(issue7, c.total, c.pages...)
			req := w.Request(surgical.OriginManual, issue7)
			if c.says == "" {
				want(t, w.deliver(req), worker.Done{})
				return
			}
			want(t, w.deliver(req), worker.Wait{After: surgical.FirstDelay / 2})
			run := w.wantRun(req.RunID, surgical.StatusRunning, surgical.CodeGitLabUnavailable)
			if !strings.HasPrefix(run.Error.Message, c.says) || w.head(issue7).Exists() {
				t.Errorf("waits for %+v, copy %v", run.Error, w.head(issue7).Exists())
			}
			// It is believed if it stays so: comments may be internal.
			w.discussions(issue7, c.total, c.pages...)
			w.Clock.AdvanceTo(run.DoubtedSince[issue7.Target][surgical.KindDiscussion].Add(surgical.Confirmation))
			want(t, w.deliver(req), worker.Done{})
			if !w.head(issue7).Exists() {
				t.Error("there is no copy")
			}
		})
	}
}

// With a copy, the count is evidence of comments that came since; those that the copy did
// not show either block nothing.
func TestProcess_DoubtsAListThatLacksCommentsWhichTheCopyDidNotLack(t *testing.T) {
	w := newWorld(t)
	ref := fakegitlab.IssueRef(70)
	w.GitLab.SetIssue(fakegitlab.NewIssue(70, "Short", "", fakegitlab.Time{Time: w.Clock.Now()}))
	w.Webhook(ref)
	sync := func() worker.Verdict {
		t.Helper()
		w.Clock.Advance(time.Hour)
		return w.deliver(w.Request(surgical.OriginManual, ref))
	}
	w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "The first comment."})
	w.discussions(ref, "", "[]", "[]")
	if verdict, ok := sync().(worker.Wait); !ok {
		t.Fatalf("a comment is missing: %v", verdict)
	}
	// The token may not see the second one, and no header says how many there are.
	first := w.GitLab.Discussions(ref)[0].ID
	w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Internal."})
	visible := `[{"id":"` + first + `","notes":[{"id":1}]}]`
	w.discussions(ref, "", visible, "[]")
	req := w.Request(surgical.OriginManual, ref)
	if verdict, ok := w.deliver(req).(worker.Wait); !ok {
		t.Fatalf("a comment is missing: %v", verdict)
	}
	w.Clock.Advance(surgical.Confirmation + time.Second)
	w.discussions(ref, "", visible, "[]")
	want(t, w.deliver(req), worker.Done{})
	if head := w.head(ref); head.UserNotesCount != 2 || head.UnseenComments != 1 {
		t.Fatalf("head %+v", head)
	}
	w.discussions(ref, "", visible, "[]")
	want(t, sync(), worker.Done{})
	w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "The third comment."})
	w.discussions(ref, "", visible, "[]")
	if verdict, ok := sync().(worker.Wait); !ok {
		t.Errorf("another comment is missing: %v", verdict)
	}
}
