package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

var issue7 = fakegitlab.IssueRef(7)

// world is all of Lorehook, with a hook around every call to DynamoDB.
type world struct {
	*cloud.World
	around  cloud.Around
	fetches int
	// during, if set, runs once within the next fetch.
	during func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, tables := fakedynamodb.New()
	w := &world{}
	w.World = cloud.NewWorld(t, cloud.Intercept(db.Client(), func(ctx context.Context, call cloud.Call, send func() error) error {
		if w.around != nil {
			return w.around(ctx, call, send)
		}
		return send()
	}), tables)
	fetch := w.Fetch
	w.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		w.fetches++
		snap, err := fetch(ctx, ref)
		if during := w.during; during != nil {
			w.during = nil
			during()
		}
		return snap, err
	}
	return w
}

// stored lists the sort keys of everything that is stored of the entity.
func (w *world) stored(ref surgical.EntityRef) (keys []string) {
	w.T.Helper()
	for _, item := range w.Rows(w.Tables.Content) {
		pk, _ := item["pk"].(*types.AttributeValueMemberS)
		sk, _ := item["sk"].(*types.AttributeValueMemberS)
		if pk.Value == "P#"+ref.Key() {
			keys = append(keys, sk.Value)
		}
	}
	return keys
}

func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// sweepUntilComplete lets the sweeper complete every erasure.
func (w *world) sweepUntilComplete() {
	w.T.Helper()
	for range 6 {
		w.Clock.Advance(surgical.EraseSettle / 4)
		if _, err := w.Sweeper.Handle(w.T.Context()); err != nil {
			w.T.Fatal(err)
		}
	}
	if open, err := w.Ledger.OpenErasures(w.T.Context()); err != nil || len(open) > 0 {
		w.T.Errorf("erasures %v are still open, %v", open, err)
	}
}

// wantNothing checks that only the head is stored, and that no reader sees anything.
func (w *world) wantNothing(ref surgical.EntityRef) {
	w.T.Helper()
	if keys := w.stored(ref); len(keys) != 1 {
		w.T.Errorf("%d items are stored: %v", len(keys), keys)
	}
	if _, err := w.Shown().Read(w.T.Context(), ref); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		w.T.Errorf("it is read: %v", err)
	}
}

func TestErase_RemovesEverythingAndKeepsItOut(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	before, err := w.Eraser.Look(t.Context(), issue7)
	w.must(err)
	result, err := w.Eraser.Erase(t.Context(), issue7)
	w.must(err)
	if before.Left.Total() == 0 || before.Left != result.Found || result.Left.Total() != 0 || result.Complete() || !before.ErasedAt.IsZero() {
		t.Errorf("before %+v, done %+v", before, result)
	}
	if after, err := w.Eraser.Look(t.Context(), issue7); err != nil || after.Erasure != result.Erasure || after.Left.Total() != 0 {
		t.Errorf("after %+v, %v", after, err)
	}
	w.wantNothing(issue7)
	w.fetches = 0
	for _, origin := range []surgical.Origin{surgical.OriginWebhook, surgical.OriginManual, surgical.OriginReconcile} {
		w.Clock.Advance(time.Hour)
		run := w.Sync(w.Request(origin, issue7))
		if got := run.Outcomes[issue7.Target].Status; got != surgical.EntitySkippedErased || w.fetches > 0 {
			t.Errorf("a run of origin %s: %s after %d fetches", origin, got, w.fetches)
		}
	}
	w.sweepUntilComplete()
	w.wantNothing(issue7)
	list, more, err := w.Ledger.Erasures(t.Context(), "", 10)
	if diff := cmp.Diff([]surgical.Erasure{{Ref: issue7, ErasedAt: result.ErasedAt}}, list); diff != "" || more || err != nil {
		t.Errorf("the list (-want +got), %v:\n%s", err, diff)
	}
}

func TestErase_LeavesTheOtherTargetsOfARun(t *testing.T) {
	w := newWorld(t)
	_, err := w.Eraser.Erase(t.Context(), issue7)
	w.must(err)
	mr := fakegitlab.MergeRequestRef(12)
	run := w.Sync(w.Request(surgical.OriginManual, issue7, mr))
	if run.Outcomes[issue7.Target].Status != surgical.EntitySkippedErased || run.Outcomes[mr.Target].Status != surgical.EntityOK || w.fetches != 1 {
		t.Errorf("outcomes %v after %d fetches", run.Outcomes, w.fetches)
	}
	w.Entity(mr)
}

// A request to erase is killed before or after each of its calls, and repeated or left
// to the sweeper.
func TestErase_CanBeCompletedAfterADeathAnywhere(t *testing.T) {
	died := errors.New("the process died")
	for _, applied := range []bool{false, true} {
		for _, repeated := range []bool{false, true} {
			t.Run(fmt.Sprintf("applied %t, repeated %t", applied, repeated), func(t *testing.T) {
				for n := 1; ; n++ {
					w := newWorld(t)
					w.Sync(w.Request(surgical.OriginWebhook, issue7))
					calls, dead := 0, false
					w.around = func(_ context.Context, _ cloud.Call, send func() error) error {
						if dead {
							return died
						}
						if calls++; calls == n {
							dead = true
							if applied {
								return errors.Join(send(), died)
							}
							return died
						}
						return send()
					}
					_, err := w.Eraser.Erase(t.Context(), issue7)
					w.around = nil
					if err == nil {
						if n < 10 {
							t.Errorf("it took %d calls", n)
						}
						return
					}
					erased, err := w.Content.Head(t.Context(), issue7)
					w.must(err)
					if repeated {
						_, err := w.Eraser.Erase(t.Context(), issue7)
						w.must(err)
						w.wantNothing(issue7)
					}
					w.sweepUntilComplete()
					if erased.Erased() || repeated {
						w.wantNothing(issue7)
					} else {
						w.Entity(issue7)
					}
				}
			})
		}
	}
}

// Whatever a run that began before still writes is removed before the erasure is
// complete.
func TestResume_RemovesWhatARunWroteThatBeganBefore(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.Clock.Advance(time.Minute)
	w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "Late"})
	erase := func() {
		_, err := w.Eraser.Erase(t.Context(), issue7)
		w.must(err)
	}
	staged := false
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		err := send()
		if call.Operation == "BatchWriteItem" && !staged {
			staged = true
			w.around = nil
			erase()
			w.around = nil
			return errors.Join(err, send()) // the write lands late
		}
		return err
	}
	run := w.Sync(w.Request(surgical.OriginWebhook, issue7))
	if !staged || run.Outcomes[issue7.Target].Status != surgical.EntitySkippedErased {
		t.Fatalf("outcome %v, staged %t", run.Outcomes, staged)
	}
	if keys := w.stored(issue7); len(keys) < 2 {
		t.Fatalf("the late write is not there: %v", keys)
	}
	w.sweepUntilComplete()
	w.wantNothing(issue7)
}

func TestResume_CompletesOnlyWhatHasSettledAndHasNothingLeft(t *testing.T) {
	w := newWorld(t)
	result, err := w.Eraser.Erase(t.Context(), issue7)
	w.must(err)
	resume := func(ctx context.Context, want bool) {
		t.Helper()
		got, err := w.Eraser.Resume(ctx, result.Erasure)
		if err != nil || got.Complete() != want {
			t.Errorf("complete %t with %d items left, %v; want %t", got.Complete(), got.Left.Total(), err, want)
		}
	}
	resume(t.Context(), false) // a function that began before may still write
	w.Clock.Advance(surgical.EraseSettle)
	_, err = w.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.Tables.Content, Item: dynamo.Item{
		"pk": &types.AttributeValueMemberS{Value: "P#" + issue7.Key()}, "sk": &types.AttributeValueMemberS{Value: "child#entity#0#late.1#000"},
	}})
	w.must(err)
	short, cancel := context.WithTimeout(t.Context(), surgical.EraseReserve/2)
	defer cancel()
	resume(short, false) // no time to delete it
	resume(t.Context(), true)
	w.wantNothing(issue7)
}

func TestErase_StopsARunThatHasFetched(t *testing.T) {
	w := newWorld(t)
	w.during = func() {
		_, err := w.Eraser.Erase(t.Context(), issue7)
		w.must(err)
	}
	run := w.Sync(w.Request(surgical.OriginWebhook, issue7))
	if run.Outcomes[issue7.Target].Status != surgical.EntitySkippedErased {
		t.Errorf("outcomes %v", run.Outcomes)
	}
	w.sweepUntilComplete()
	w.wantNothing(issue7)
}

func TestLift_LetsTheEntityBeFetchedAgain(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.must(w.Eraser.Lift(t.Context(), issue7)) // it changes nothing
	w.Entity(issue7)
	_, err := w.Eraser.Erase(t.Context(), issue7)
	w.must(err)
	var refused *surgical.Error
	if err := w.Eraser.Lift(t.Context(), issue7); !errors.As(err, &refused) || refused.Code != surgical.CodeConflict || !refused.Retryable || refused.RetryAfter < surgical.EraseSettle {
		t.Errorf("lifted while it is removed: %v", err)
	}
	w.sweepUntilComplete()
	w.must(w.Eraser.Lift(t.Context(), issue7))
	w.wantNothing(issue7)
	if list, _, err := w.Ledger.Erasures(t.Context(), "", 10); err != nil || len(list) > 0 {
		t.Errorf("the list %v, %v", list, err)
	}
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.Entity(issue7)
}

// After a restore of the content table, the list still says what was erased.
func TestErase_IsRepeatedAfterARestore(t *testing.T) {
	w := newWorld(t)
	_, err := w.Eraser.Erase(t.Context(), issue7)
	w.must(err)
	w.sweepUntilComplete()
	for _, item := range w.Rows(w.Tables.Content) { // the restored table knows nothing of it
		_, err := w.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &w.Tables.Content, Key: dynamo.Item{"pk": item["pk"], "sk": item["sk"]}})
		w.must(err)
	}
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	list, _, err := w.Ledger.Erasures(t.Context(), "", 10)
	w.must(err)
	for _, e := range list {
		_, err := w.Eraser.Erase(t.Context(), e.Ref)
		w.must(err)
	}
	w.wantNothing(issue7)
}
