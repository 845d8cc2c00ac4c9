package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// confidential makes the issue confidential, or public again, and returns its
// delivery.
func (w *world) confidential(is bool) surgical.Request {
	w.Clock.Advance(time.Minute)
	w.GitLab.EditIssue(issue7, func(i *fakegitlab.Issue) { i.Confidential = is })
	req := w.Request(surgical.OriginWebhook, issue7)
	req.Evidence = surgical.Evidence{UpdatedAt: w.GitLab.UpdatedAt(issue7).Truncate(time.Millisecond), Confidential: is}
	return req
}

// hide processes the hide request of a delivery, without waiting for anything.
func (w *world) hide(req surgical.Request) {
	w.T.Helper()
	verdict := w.Engine.Process(w.T.Context(), w.Message(req.HideRequest()), false)
	want(w.T.(*testing.T), verdict, worker.Done{})
}

func (w *world) shown(ref surgical.EntityRef) surgical.Concealment {
	_, why := surgical.Visible(w.head(ref), surgical.Sight{Confidential: surgical.Include})
	return why
}

// Neither the pause nor the settle time nor another worker's lease delays it, and it
// sends no request to GitLab.
func TestProcess_HidesAtOnceWhatADeliveryCallsConfidential(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	before := w.head(issue7)
	if err := w.Ledger.SetPause(t.Context(), w.Clock.Now().Add(time.Hour), surgical.CodeGitLabRateLimited); err != nil {
		t.Fatal(err)
	}
	req := w.confidential(true)
	w.fetches = 0
	w.hide(req)
	head := w.head(issue7)
	if w.shown(issue7) != surgical.Hidden || !head.HiddenSince.Equal(req.EventAt.Add(surgical.Settle)) || head.Revision != before.Revision || w.fetches > 0 {
		t.Fatalf("%s after %d fetches: %+v", w.shown(issue7), w.fetches, head)
	}
	if _, err := w.Shown().Read(t.Context(), issue7); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		t.Errorf("it is read: %v", err)
	}
	due := req.EventAt.Add(surgical.Settle + surgical.Confirmation)
	if f := w.pending(issue7); f == nil || !f.NotBefore.Equal(due) || !f.ConfirmAt.Equal(due) {
		t.Errorf("follow-up %+v, want it at %v", f, due)
	}
	if _, ok := w.deliver(req).(worker.Wait); !ok {
		t.Error("the run did not wait")
	}
	// The fetch shows it as confidential, which keeps it hidden as public.
	w.Clock.Advance(time.Hour)
	w.Sync(req)
	if head := w.head(issue7); w.shown(issue7) != "" || !head.Attributes.Confidential || head.HiddenSince.IsZero() {
		t.Errorf("%q: %+v", w.shown(issue7), head)
	}
}

func TestProcess_LetsNoOlderFetchStoreAPublicCopy(t *testing.T) {
	for name, stored := range map[string]bool{"of a stored issue": true, "of a new issue": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if stored {
				w.Sync(w.Request(surgical.OriginWebhook, issue7))
			}
			catchUp := w.lagging(issue7) // a replica that still shows it as public
			req := w.confidential(true)
			w.hide(req)
			if why := w.shown(issue7); why != surgical.Hidden && why != surgical.Absent {
				t.Errorf("it is shown: %q", why)
			}
			w.Sync(req)
			if head := w.head(issue7); w.shown(issue7) != surgical.Hidden || head.Attributes.Confidential {
				t.Errorf("the public copy of a replica: %q, %+v", w.shown(issue7), head)
			}
			catchUp()
			w.followUp(issue7)
			if head := w.head(issue7); w.shown(issue7) != "" || !head.Attributes.Confidential {
				t.Errorf("%q: %+v", w.shown(issue7), head)
			}
		})
	}
}

// Made public again within the confirmation time, it appears once that has passed.
func TestProcess_KeepsNothingHiddenThatIsPublicAgain(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.hide(w.confidential(true))
	w.Sync(w.confidential(false))
	if w.shown(issue7) != surgical.Hidden {
		t.Errorf("it is shown, %q, within the confirmation time", w.shown(issue7))
	}
	run := w.followUp(issue7)
	if head := w.head(issue7); w.shown(issue7) != "" || !head.HiddenSince.IsZero() || run.CoalescedWith != "" {
		t.Errorf("%q: %+v", w.shown(issue7), head)
	}
}

func TestProcess_IgnoresAHideRequestThatComesTooLate(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	req := w.confidential(true)
	w.GitLab.EditIssue(issue7, func(i *fakegitlab.Issue) { i.Confidential = false })
	w.Clock.Advance(surgical.Settle + surgical.Confirmation)
	w.Sync(w.Request(surgical.OriginManual, issue7))
	for range 2 {
		w.hide(req)
		if w.shown(issue7) != "" || w.pending(issue7) != nil {
			t.Errorf("%q, follow-up %+v", w.shown(issue7), w.pending(issue7))
		}
	}
}

// Twice, and in any order: the last event counts.
func TestProcess_MergesHideRequests(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	first, second := w.confidential(true), w.confidential(true)
	for _, req := range []surgical.Request{second, first, second} {
		w.hide(req)
		if head := w.head(issue7); !head.HiddenSince.Equal(second.EventAt.Add(surgical.Settle)) {
			t.Errorf("hidden since %v", head.HiddenSince)
		}
	}
	if f := w.pending(issue7); !f.ConfirmAt.Equal(second.EventAt.Add(surgical.Settle + surgical.Confirmation)) {
		t.Errorf("follow-up %+v", f)
	}
}

// An attempt that read the head before it was hidden must carry that on.
func TestProcess_LosesNoHideRequestToARunningAttempt(t *testing.T) {
	for name, stored := range map[string]bool{"of a stored issue": true, "of a new issue": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if stored {
				w.Sync(w.Request(surgical.OriginWebhook, issue7))
			}
			w.Clock.Advance(time.Minute)
			w.during = func() { w.hide(w.confidential(true)) }
			req := w.Request(surgical.OriginManual, issue7)
			w.Sync(req)
			if run := w.Run(req.RunID); w.shown(issue7) != surgical.Hidden || run.Attempt != 2 {
				t.Errorf("%q after %d attempts: %+v", w.shown(issue7), run.Attempt, w.head(issue7))
			}
		})
	}
}

func TestProcess_HidesAfterTheHeadMoved(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	req := w.confidential(true)
	moved := false
	w.around = func(ctx context.Context, call cloud.Call, send func() error) error {
		if _, ok := call.Input.(*dynamodb.TransactWriteItemsInput); ok && !moved {
			moved = true
			w.GitLab.EditIssue(issue7, func(i *fakegitlab.Issue) { i.Confidential = false })
			w.Sync(w.Request(surgical.OriginManual, issue7))
		}
		return send()
	}
	w.hide(req)
	if head := w.head(issue7); w.shown(issue7) != surgical.Hidden || head.Revision != 2 {
		t.Errorf("%q: %+v", w.shown(issue7), head)
	}
}

// It does not get lost with a table that is out of reach.
func TestProcess_AHideRequestWaitsForItsTables(t *testing.T) {
	w := newWorld(t)
	w.around = func(context.Context, cloud.Call, func() error) error { return context.DeadlineExceeded }
	verdict := w.Engine.Process(t.Context(), w.Message(w.confidential(true).HideRequest()), false)
	want(t, verdict, worker.Wait{After: surgical.UnknownDelay})
}
