package ledger_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
)

// backfill is a backfill of project 1 that is wanted for its own sake.
func (b *book) backfill(name string) surgical.Pass {
	id := surgical.NewPassID(1, surgical.PassBackfill, name)
	return surgical.NewBackfill(1, id, id, b.now)
}

func (b *book) pass(kind surgical.PassKind) surgical.Pass {
	b.Helper()
	p, err := b.Pass(b.Context(), 1, kind)
	b.must(err)
	return p
}

func (b *book) save(p surgical.Pass, change ledger.PassChange) surgical.Pass {
	b.Helper()
	saved, err := b.SavePass(b.Context(), p, change)
	b.must(err)
	return saved
}

func (b *book) windows(p surgical.Pass) []surgical.Window {
	b.Helper()
	windows, err := b.Windows(b.Context(), p)
	b.must(err)
	return windows
}

func (b *book) failures(p surgical.Pass, limit int) []surgical.PassFailure {
	b.Helper()
	failures, err := b.PassFailures(b.Context(), p, limit)
	b.must(err)
	return failures
}

// awaits is a window of the pass with a run for each issue.
func (b *book) awaits(p surgical.Pass, number int64, iids ...int64) surgical.Window {
	w := surgical.Window{PassID: p.ID, Number: number}
	for _, iid := range iids {
		entry := surgical.Entry{Target: surgical.Target{Type: surgical.Issue, IID: iid}, UpdatedAt: b.now, UserNotesCount: iid}
		w.Awaited = append(w.Awaited, p.Await(entry, 3, b.now, 1))
	}
	return w
}

func TestSavePass_ReturnsWhatItStored(t *testing.T) {
	onEngines(t, func(b *book) {
		p := b.backfill("full")
		p.For = append(p.For, "another")
		p.FinishedAt, p.FailingSince, p.Tries = b.now.Add(time.Hour), b.now.Add(time.Minute), 4
		p.Legs[0] = surgical.Leg{Type: surgical.Issue, Since: b.now, Began: b.now.Add(time.Second), Newest: b.now.Add(time.Millisecond), Total: 12}
		p.Legs = append(p.Legs, surgical.Leg{})
		p.Leg, p.Cursor, p.Windows, p.Outstanding, p.First = 1, "cursor", 7, 3, true
		p.Counts = surgical.PassCounts{Listed: 1, Different: 2, Done: 3, Failed: 4, Unreadable: 5, Pages: 6, ListRequests: 7, Requests: 8}
		p.Checkpoints = map[surgical.EntityType]time.Time{surgical.Issue: b.now, surgical.MergeRequest: b.now.Add(time.Hour)}
		p.Error = surgical.NewError(surgical.CodeGitLabUnavailable, "GitLab is away")
		saved := b.save(p, ledger.PassChange{})
		p.Revision, p.UpdatedAt = 1, b.now
		for name, got := range map[string]surgical.Pass{"returned": saved, "stored": b.pass(surgical.PassBackfill)} {
			if diff := cmp.Diff(p, got, cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestSavePass_RefusesAnOlderRowTogetherWithItsWindows(t *testing.T) {
	onEngines(t, func(b *book) {
		first := b.save(b.backfill("one"), ledger.PassChange{})
		if _, err := b.SavePass(b.Context(), b.backfill("two"), ledger.PassChange{}); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("a second first row: %v", err)
		}
		second := b.save(first, ledger.PassChange{Put: []surgical.Window{b.awaits(first, 0, 7)}})
		if _, err := b.SavePass(b.Context(), first, ledger.PassChange{Put: []surgical.Window{b.awaits(first, 1, 8)}}); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("an older row: %v", err)
		}
		if diff := cmp.Diff([]surgical.Window{b.awaits(first, 0, 7)}, b.windows(second)); diff != "" {
			t.Errorf("windows (-want +got):\n%s", diff)
		}
	})
}

func TestSavePass_MovesWhatFailedOutOfItsWindow(t *testing.T) {
	onEngines(t, func(b *book) {
		p := b.backfill("one")
		both := b.awaits(p, 0, 7, 8)
		p = b.save(p, ledger.PassChange{Put: []surgical.Window{both, b.awaits(p, 1, 9)}})
		b.must(b.WindowSent(b.Context(), p, both))
		if windows := b.windows(p); len(windows) != 2 || !windows[0].Sent || windows[1].Sent {
			t.Errorf("%+v", windows)
		}
		var failed []surgical.PassFailure
		for _, a := range both.Awaited {
			failed = append(failed, surgical.PassFailure{PassID: p.ID, Awaited: a, Code: surgical.CodeGitLabForbidden, Message: "no"})
		}
		p = b.save(p, ledger.PassChange{Drop: []surgical.Window{both}, Failed: failed})
		if diff := cmp.Diff(failed, b.failures(p, 0)); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		if windows := b.windows(p); len(windows) != 1 || windows[0].Number != 1 {
			t.Errorf("%+v", windows)
		}
		b.must(b.WindowSent(b.Context(), p, both)) // it is gone, and stays gone
		if windows := b.windows(p); len(windows) != 1 {
			t.Errorf("%+v", windows)
		}
		if some := b.failures(p, 1); len(some) != 1 {
			t.Errorf("%+v", some)
		}
		p = b.save(p, ledger.PassChange{Retried: failed[:1]})
		if diff := cmp.Diff(failed[1:], b.failures(p, 0)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

func TestStartBackfill_OfTwoAtTheSameTimeOneWins(t *testing.T) {
	onEngines(t, func(b *book) {
		started := make([]surgical.Pass, 4)
		var all sync.WaitGroup
		for i := range started {
			all.Go(func() {
				p, err := b.StartBackfill(b.Context(), b.backfill(strconv.Itoa(i)))
				if err != nil {
					t.Error(err)
				}
				started[i] = p
			})
		}
		all.Wait()
		for _, p := range started {
			if p.ID != started[0].ID {
				t.Errorf("%s and %s are running", p.ID, started[0].ID)
			}
		}
	})
}

func TestStartBackfill_TakesThePlaceOfOneThatEndedWithAnyNumberOfWindows(t *testing.T) {
	onEngines(t, func(b *book) {
		p := b.save(b.backfill("old"), ledger.PassChange{})
		for range 3 {
			var change ledger.PassChange
			for range 50 {
				change.Put = append(change.Put, b.awaits(p, p.Windows, p.Windows+1))
				p.Windows++
			}
			p = b.save(p, change)
		}
		old, _ := p.Cancel(p.ID, b.now)
		old = b.save(old, ledger.PassChange{})
		next, err := b.StartBackfill(b.Context(), b.backfill("new"))
		b.must(err)
		got := b.pass(surgical.PassBackfill)
		if got.ID != next.ID || got.ID == old.ID || got.Outstanding != 150 || got.Windows != 3 || len(b.windows(old)) > 150-99+4 {
			t.Errorf("%+v, and %d windows are left", got, len(b.windows(old)))
		}
		for _, w := range b.windows(got) {
			if !w.Left || !w.Sent || w.PassID != got.ID || len(w.Awaited) != 50 {
				t.Errorf("%+v", w)
			}
		}
	})
}

func TestStartBackfill_RemembersWhatALaterOneTookThePlaceOf(t *testing.T) {
	onEngines(t, func(b *book) {
		for _, name := range []string{"a", "b"} {
			p, err := b.StartBackfill(b.Context(), b.backfill(name))
			b.must(err)
			p.Status = surgical.StatusSucceeded
			b.save(p, ledger.PassChange{})
		}
		if again, err := b.StartBackfill(b.Context(), b.backfill("b")); err != nil || again.Status != surgical.StatusSucceeded {
			t.Errorf("the last one: %+v, %v", again, err)
		}
		if _, err := b.StartBackfill(b.Context(), b.backfill("a")); !errors.Is(err, surgical.ErrReplaced) {
			t.Errorf("the one before: %v", err)
		}
	})
}

func TestLeaseCrawler_HasOneHolderAtATime(t *testing.T) {
	onEngines(t, func(b *book) {
		first, err := b.LeaseCrawler(b.Context(), time.Minute)
		b.must(err)
		if _, err := b.LeaseCrawler(b.Context(), time.Minute); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("a second holder: %v", err)
		}
		b.now = b.now.Add(time.Minute) // the first one died
		second, err := b.LeaseCrawler(b.Context(), time.Minute)
		b.must(err)
		b.must(first(b.Context())) // or not: it gives back what it no longer has
		if _, err := b.LeaseCrawler(b.Context(), time.Minute); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("a third holder: %v", err)
		}
		b.must(second(b.Context()))
		third, err := b.LeaseCrawler(b.Context(), time.Minute)
		b.must(err)
		b.must(third(b.Context()))
	})
}

func TestPass_OfAnotherVersionIsNotContinuedAndCanBeStartedAgain(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		b := &book{T: t, now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}
		b.Ledger = ledger.New(e.DynamoDB, e.Tables, func() time.Time { return b.now })
		outdate := func(projectID int64, item string) {
			t.Helper()
			_, err := e.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: &e.Tables.Projects,
				Key: map[string]types.AttributeValue{
					"project_id": &types.AttributeValueMemberN{Value: fmt.Sprint(projectID)}, "item": &types.AttributeValueMemberS{Value: item},
				},
				UpdateExpression:          new("SET #version = :v"),
				ExpressionAttributeNames:  map[string]string{"#version": "version"},
				ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberN{Value: "0"}},
			})
			b.must(err)
		}
		p := b.backfill("old")
		p.Leg, p.Cursor, p.Outstanding, p.Counts.Failed, p.Windows = 1, "keyset of another format", 1, 1, 1
		b.save(p, ledger.PassChange{Put: []surgical.Window{b.awaits(p, 0, 7)}})
		outdate(1, "pass#backfill")
		old := b.pass(surgical.PassBackfill)
		if old.Status != surgical.StatusFailed || surgical.CodeOf(old.Error) != surgical.CodeCheckpointOutdated || old.Outstanding != 0 || old.Cursor != "" {
			t.Errorf("outdated: %+v", old)
		}
		if resumed, ok := old.Resume(b.now); ok {
			t.Errorf("resumed without its lists: %+v", resumed)
		}
		anew, err := b.StartBackfill(b.Context(), old.Anew(b.now))
		b.must(err)
		if anew.ID == old.ID || anew.Status != surgical.StatusRunning || len(anew.Legs) != 4 || anew.Leg != 0 || len(b.windows(old)) != 0 {
			t.Errorf("started again: %+v", anew)
		}

		cycle := surgical.Pass{
			ProjectID: 1, Kind: surgical.PassReconcile, ID: "1-r", Status: surgical.StatusSucceeded, StartedAt: b.now, DueAt: b.now,
			Legs: []surgical.Leg{{Type: surgical.Issue}}, Leg: 1, Checkpoints: map[surgical.EntityType]time.Time{surgical.Issue: b.now},
		}
		b.save(cycle, ledger.PassChange{})
		outdate(1, "pass#reconcile")
		if got := b.pass(surgical.PassReconcile); got.Checkpoints != nil || !got.Listed() || !got.Exists() {
			t.Errorf("the next cycle would not list everything: %+v", got)
		}

		r := surgical.BackfillRequest{ID: "0-r", Scope: surgical.BackfillScope{All: true}, Status: surgical.StatusRunning, Cursor: "7", Projects: 2, NotAllowed: 1, CreatedAt: b.now}
		_, err = b.SaveBackfillRequest(b.Context(), r)
		b.must(err)
		outdate(0, "backfill#0-r")
		r, err = b.BackfillRequest(b.Context(), "0-r")
		b.must(err)
		if r.Status != surgical.StatusFailed || surgical.CodeOf(r.Error) != surgical.CodeCheckpointOutdated || r.Cursor != "" || r.Projects != 0 || !r.Scope.All {
			t.Errorf("outdated request: %+v", r)
		}
	})
}
