package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// pending returns the follow-up of the entity, nil if there is none.
func (w *world) pending(ref surgical.EntityRef) *surgical.FollowUp {
	w.T.Helper()
	for f, err := range w.Ledger.FollowUps(w.T.Context(), w.Clock.Now().Add(24*time.Hour)) {
		if err != nil {
			w.T.Fatal(err)
		}
		if f.Ref == ref {
			return &f
		}
	}
	return nil
}

// followUp lets the time of the entity's follow-up come, starts it and processes
// its message.
func (w *world) followUp(ref surgical.EntityRef) surgical.Run {
	w.T.Helper()
	f := w.pending(ref)
	if f == nil {
		w.T.Fatalf("no follow-up of %s is pending", ref)
	}
	w.Clock.AdvanceTo(f.NotBefore)
	run, err := w.Ledger.BeginFollowUp(w.T.Context(), *f)
	if err != nil {
		w.T.Fatal(err)
	}
	want(w.T.(*testing.T), w.deliver(run.Request), worker.Done{})
	return w.Run(run.RunID)
}

// lagging lets fetches show an earlier one, as a replica that lags does.
func (w *world) lagging(ref surgical.EntityRef) (catchUp func()) {
	w.T.Helper()
	fetch := w.Engine.Fetch
	old, err := fetch(w.T.Context(), ref)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Engine.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		now, err := fetch(ctx, ref)
		snap := old
		snap.FetchedAt, snap.FetchedUntil = now.FetchedAt, now.FetchedUntil
		return snap, err
	}
	return func() { w.Engine.Fetch = fetch }
}

// comment adds a comment and returns its delivery.
func (w *world) comment(n fakegitlab.Note) surgical.Request {
	w.Clock.Advance(10 * time.Minute)
	n.Body = "new"
	w.GitLab.AddDiscussion(issue7, n)
	list := w.GitLab.Discussions(issue7)
	note := list[len(list)-1].Notes[0]
	req := w.Request(surgical.OriginWebhook, issue7)
	if req.Evidence = (surgical.Evidence{UpdatedAt: w.GitLab.UpdatedAt(issue7).Truncate(time.Second), NoteID: note.ID, NoteAt: note.UpdatedAt.Time.Truncate(time.Second)}); n.Internal {
		req.Evidence = surgical.Evidence{InternalNoteID: note.ID}
	}
	return req
}

func TestProcess_FollowsUpAnEventThatAReplicaDidNotShow(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	catchUp := w.lagging(issue7)
	req := w.comment(fakegitlab.Note{})
	want(t, w.deliver(req), worker.Done{})
	run := w.Run(req.RunID)
	if !run.BehindEvent || run.Outcomes[issue7.Target].Status != surgical.EntityOK || run.Evidence.NoteID == 0 {
		t.Errorf("run %+v", run)
	}
	// A second delivery finds a head that came late enough, but lacks the note.
	again := w.Request(surgical.OriginWebhook, issue7)
	again.EventAt, again.Evidence = req.EventAt, req.Evidence
	w.Clock.Advance(surgical.RefetchInterval)
	want(t, w.deliver(again), worker.Done{})
	if run := w.Run(again.RunID); run.CoalescedWith != "" || !run.BehindEvent {
		t.Errorf("the second delivery's run %+v", run)
	}
	for i, after := range []time.Duration{surgical.FollowUpSoon, surgical.FollowUpLater} {
		if due := w.pending(issue7).NotBefore.Sub(req.EventAt); due != surgical.Settle+after {
			t.Errorf("follow-up %d is due after %s", i+1, due)
		}
		if i == 1 {
			catchUp()
		}
		if run := w.followUp(issue7); run.Origin != surgical.OriginFollowUp || run.BehindEvent != (i == 0) || run.Evidence != req.Evidence {
			t.Errorf("follow-up %d: %+v", i+1, run)
		}
	}
	if f := w.pending(issue7); f != nil || w.head(issue7).Notes.MaxID != req.Evidence.NoteID {
		t.Errorf("in the end: follow-up %+v, head %+v", f, w.head(issue7))
	}
}

func TestProcess_DropsANoteThatNoFollowUpFound(t *testing.T) {
	w := newWorld(t)
	req := w.comment(fakegitlab.Note{})
	list := w.GitLab.Discussions(issue7)
	w.GitLab.DeleteDiscussion(issue7, list[len(list)-1].ID)
	want(t, w.deliver(req), worker.Done{})
	for range 3 {
		if run := w.followUp(issue7); !run.BehindEvent {
			t.Errorf("follow-up %+v", run)
		}
	}
	if f := w.pending(issue7); f != nil {
		t.Errorf("there is no end: %+v", f)
	}
}

// A date that was set back must not keep the entity from ever changing, and it
// must not hold up its group.
func TestProcess_ConfirmsADateThatWasSetBack(t *testing.T) {
	for name, date := range map[string]time.Duration{"set back": -1000 * time.Hour, "from the future": 100_000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			set := func(at time.Time) {
				w.GitLab.Edit(issue7, func(c *fakegitlab.Common) { c.Title = "new" })
				w.GitLab.Redate(issue7, at)
			}
			if date > 0 {
				set(w.Clock.Now().Add(date))
			}
			w.Sync(w.Request(surgical.OriginWebhook, issue7))
			before := w.head(issue7)
			if date > 0 {
				set(w.Clock.Now())
			} else {
				set(before.UpdatedAt.Add(date))
			}
			req := w.Request(surgical.OriginManual, issue7)
			w.fetches = 0
			want(t, w.deliver(req), worker.Done{})
			run := w.wantRun(req.RunID, surgical.StatusSucceeded, "")
			if run.Outcomes[issue7.Target].Status != surgical.EntitySkippedStale || w.fetches != 1 || w.head(issue7).Revision != before.Revision {
				t.Fatalf("after %d fetches: %+v", w.fetches, run.Outcomes)
			}
			if f := w.pending(issue7); f == nil || !f.NotBefore.Equal(req.EventAt.Add(surgical.Settle+surgical.Confirmation)) || !f.ConfirmAt.Equal(f.NotBefore) {
				t.Fatalf("follow-up %+v", f)
			}
			if run := w.followUp(issue7); !run.Confirms || run.Outcomes[issue7.Target].Status != surgical.EntityOK {
				t.Errorf("the follow-up %+v", run)
			}
			if head := w.head(issue7); head.Attributes.Title != "new" || !head.UpdatedAt.Equal(w.GitLab.UpdatedAt(issue7).Truncate(time.Millisecond)) {
				t.Errorf("the head %+v", head)
			}
		})
	}
}

func TestProcess_LosesNoNewEntityThatAReplicaDoesNotHave(t *testing.T) {
	w := newWorld(t)
	fetch := w.Engine.Fetch
	w.Engine.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
		return surgical.Snapshot{}, surgical.NewError(surgical.CodeGitLabNotFound, "not found")
	}
	req := w.Request(surgical.OriginWebhook, issue7)
	for range surgical.NotFoundTries - 1 {
		if _, ok := w.deliver(req).(worker.Wait); !ok || w.pending(issue7) != nil {
			t.Fatalf("it was given up too early, or followed up: %+v", w.pending(issue7))
		}
	}
	want(t, w.deliver(req), worker.Done{})
	if run := w.wantRun(req.RunID, surgical.StatusFailed, surgical.CodePreflightFailed); !run.BehindEvent {
		t.Errorf("run %+v", run)
	}
	run := w.followUp(issue7)
	if w.wantRun(run.RunID, surgical.StatusFailed, surgical.CodePreflightFailed); run.Attempt != 1 {
		t.Errorf("a follow-up is tried %d times", run.Attempt)
	}
	w.Engine.Fetch = fetch
	w.followUp(issue7)
	if !w.head(issue7).Exists() || w.pending(issue7) != nil {
		t.Errorf("head %+v, follow-up %+v", w.head(issue7), w.pending(issue7))
	}
	// An entity that has a copy is deleted: nothing is followed up.
	w.Engine.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
		return surgical.Snapshot{}, surgical.NewError(surgical.CodeGitLabNotFound, "not found")
	}
	manual := w.Request(surgical.OriginManual, issue7)
	w.deliver(manual)
	if w.wantRun(manual.RunID, surgical.StatusFailed, surgical.CodePreflightFailed).BehindEvent || w.pending(issue7) != nil {
		t.Errorf("follow-up %+v", w.pending(issue7))
	}
}

func TestProcess_UsesInternalNotesOnlyIfTheTokenSeesThem(t *testing.T) {
	w := newWorld(t)
	fetch := w.Engine.Fetch
	w.Engine.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		snap, err := fetch(ctx, ref)
		snap.Children = slices.DeleteFunc(snap.Children, func(c surgical.Child) bool { return strings.Contains(string(c.Raw), `"internal":true`) })
		snap.Notes, snap.Comments = surgical.ReadNotes(snap.Children)
		return snap, err
	}
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	hidden := w.comment(fakegitlab.Note{Internal: true})
	want(t, w.deliver(hidden), worker.Done{})
	if run := w.Run(hidden.RunID); run.BehindEvent || w.pending(issue7) != nil || run.Evidence != hidden.Evidence {
		t.Errorf("run %+v, follow-up %+v", run, w.pending(issue7))
	}
	w.Engine.Fetch = fetch
	want(t, w.deliver(w.comment(fakegitlab.Note{Internal: true})), worker.Done{})
	w.lagging(issue7)
	lost := w.comment(fakegitlab.Note{Internal: true})
	want(t, w.deliver(lost), worker.Done{})
	if run := w.Run(lost.RunID); !run.BehindEvent || w.pending(issue7) == nil {
		t.Errorf("run %+v, follow-up %+v", run, w.pending(issue7))
	}
}
