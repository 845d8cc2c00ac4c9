package content_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// hide hides the head as it was read, and returns what DynamoDB answered.
func (w *world) hide(head surgical.Head, since time.Time) error {
	w.Helper()
	write, err := w.Hide(head, since)
	w.must(err)
	return dynamo.Transact(ctx(), w.raw, []types.TransactWriteItem{write})
}

func TestHide_LeavesEverythingElse(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	before := w.item(ref, "head")
	w.must(w.hide(head, w.now))
	after := w.item(ref, "head")
	delete(after, "hidden_since")
	w.same("the head", before, after)
	if hidden, err := w.Head(ctx(), ref); err != nil || !hidden.HiddenSince.Equal(w.now) {
		t.Errorf("%+v, %v", hidden, err)
	}
	for name, old := range map[string]surgical.Head{"hidden since": head, "another revision": {Ref: ref, Revision: 7}, "none": {Ref: ref}} {
		if err := w.hide(old, w.now.Add(-time.Hour)); !slices.Equal(dynamo.Refusals(err), []int{0}) {
			t.Errorf("hid a head that was read as %s: %v", name, err)
		}
	}
}

func TestHide_WithoutACopyLeavesAHeadThatEveryFetchReplaces(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.must(w.hide(surgical.Head{Ref: ref}, w.now))
	head, err := w.Head(ctx(), ref)
	w.must(err)
	if head.HasCopy() || !head.Exists() || !head.HiddenSince.Equal(w.now) {
		t.Fatalf("%+v", head)
	}
	if _, err := w.Read(ctx(), ref); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		t.Errorf("it is read: %v", err)
	}
	w.same("what staged it", []string(nil), must(w.Orphans(ctx(), ref)))
	since := w.now
	w.now = w.now.Add(-time.Hour) // a fetch from before the request
	head, change := w.commit(ref, newIssue())
	if head.Revision != 2 || !head.HiddenSince.Equal(since) || !change.Scope.All {
		t.Errorf("%+v, scope %+v", head, change.Scope)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestPrepare_ShowsAnIssueAgainOnceItIsPublicForLong(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue())
	since := w.now
	w.must(w.hide(head, since))
	for _, step := range []struct {
		after        time.Duration
		confidential any
		want         surgical.Concealment
		hidden       bool
	}{
		{time.Minute, nil, surgical.Hidden, true},
		{2 * time.Minute, true, "", true},
		{3 * time.Minute, nil, surgical.Hidden, true},
		{surgical.Confirmation, true, "", true},
		{surgical.Confirmation + time.Minute, nil, "", false},
	} {
		w.now = since.Add(step.after - time.Minute)
		head, _ := w.commit(ref, newIssue().with("confidential", step.confidential))
		if _, why := surgical.Visible(head, surgical.Sight{Confidential: surgical.Include}); why != step.want || head.HiddenSince.IsZero() == step.hidden {
			t.Errorf("after %s, confidential %v: %q, hidden since %v", step.after, step.confidential, why, head.HiddenSince)
		}
	}
}
