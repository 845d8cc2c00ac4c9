package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestSetPause_NeverShortensAPause(t *testing.T) {
	m := inMemory(t)
	if until, err := m.Pause(m.Context()); err != nil || !until.IsZero() {
		t.Errorf("without a pause: %v, %v", until, err)
	}
	for _, c := range []struct{ set, want time.Duration }{
		{time.Minute, time.Minute}, {30 * time.Second, time.Minute}, {time.Minute, time.Minute},
		{time.Minute + time.Microsecond, time.Minute + time.Microsecond}, {time.Hour, time.Hour}, {-time.Hour, time.Hour},
	} {
		m.must(m.SetPause(m.Context(), m.now.Add(c.set), surgical.CodeGitLabRateLimited))
		if until, err := m.Pause(m.Context()); err != nil || !until.Equal(m.now.Add(c.want)) {
			t.Errorf("after a pause of %v: %v, want %v; %v", c.set, until, m.now.Add(c.want), err)
		}
	}
	row := m.db.Items(m.tables.State)
	if diff := cmp.Diff(1, len(row)); diff != "" || fmt.Sprint(row[0]["expires_at"]) == "<nil>" {
		t.Errorf("%d rows: %v", len(row), row)
	}
	broken := errors.New("broken")
	failing[*dynamodb.UpdateItemInput](m, false, broken)
	if err := m.SetPause(m.Context(), m.now.Add(2*time.Hour), surgical.CodeGitLabRateLimited); !errors.Is(err, broken) {
		t.Errorf("a pause that was not set: %v", err)
	}
	failing[*dynamodb.GetItemInput](m, false, broken)
	if _, err := m.Pause(m.Context()); !errors.Is(err, broken) {
		t.Errorf("a pause that was not read: %v", err)
	}
}

func retryOf(m *memory, id, of string) surgical.Request {
	return surgical.Request{RunID: id, ProjectID: 1, Targets: []surgical.Target{issue(7).Target}, Origin: surgical.OriginRetry, RetryOf: of, EventAt: m.now}
}

func TestRetry_OnceOfARunThatFailedOrWasCancelled(t *testing.T) {
	for status, retried := range map[surgical.RunStatus]bool{
		surgical.StatusQueued: false, surgical.StatusRunning: false, surgical.StatusSucceeded: false,
		surgical.StatusFailed: true, surgical.StatusCancelled: true,
	} {
		m := inMemory(t)
		m.made("old", status, 7)
		retry, err := m.Retry(m.Context(), m.run("old"), retryOf(m, "new", "old"), "message")
		if retried != (err == nil) || err != nil && !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("of a run that is %s: %v", status, err)
		}
		if !retried {
			if _, err := m.Ledger.Run(m.Context(), "new"); surgical.CodeOf(err) != surgical.CodeRunNotFound || m.run("old").RetriedBy != "" {
				t.Errorf("of a run that is %s: a row was written, %v", status, err)
			}
			continue
		}
		if retry.Status != surgical.StatusQueued || !slices.Equal(retry.MessageIDs, []string{"message"}) || retry.RetryOf != "old" || m.run("old").RetriedBy != "new" {
			t.Errorf("of a run that is %s: %+v, retried by %q", status, retry, m.run("old").RetriedBy)
		}
		// Repeating the retry returns the same run; no other run retries it too.
		if again, err := m.Retry(m.Context(), m.run("old"), retryOf(m, "new", "old"), "other"); err != nil || !cmp.Equal(retry, again) {
			t.Errorf("the second time: %+v, %v", again, err)
		}
		if _, err := m.Retry(m.Context(), m.run("old"), retryOf(m, "newer", "old"), ""); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("by another run: %v", err)
		}
		if _, err := m.Ledger.Run(m.Context(), "newer"); surgical.CodeOf(err) != surgical.CodeRunNotFound {
			t.Errorf("by another run: a row was written, %v", err)
		}
	}
}

func TestRetry_WhoseAnswerGotLostIsFoundAgain(t *testing.T) {
	m := inMemory(t)
	m.made("old", surgical.StatusFailed, 7)
	broken := errors.New("broken")
	failing[*dynamodb.TransactWriteItemsInput](m, true, broken)
	if _, err := m.Retry(m.Context(), m.run("old"), retryOf(m, "new", "old"), ""); !errors.Is(err, broken) {
		t.Errorf("the first time: %v", err)
	}
	m.around = nil
	if retry, err := m.Retry(m.Context(), m.run("old"), retryOf(m, "new", "old"), ""); err != nil || retry.RunID != "new" || len(retry.MessageIDs) > 0 {
		t.Errorf("the second time: %+v, %v", retry, err)
	}
}

func TestResend_OnceAnIntervalWhileTheRunIsQueued(t *testing.T) {
	const interval = 10 * time.Minute
	m := inMemory(t)
	m.made("r", surgical.StatusQueued, 7)
	for _, c := range []struct {
		after time.Duration
		sent  bool
	}{{0, true}, {0, false}, {interval - time.Microsecond, false}, {time.Microsecond, true}, {interval, true}, {time.Minute, false}} {
		m.now = m.now.Add(c.after)
		run, err := m.Resend(m.Context(), "r", interval)
		if c.sent != (err == nil) || err != nil && !errors.Is(err, surgical.ErrMoved) || c.sent && run.RunID != "r" {
			t.Errorf("%v later: %+v, %v", c.after, run, err)
		}
	}
	for _, status := range []surgical.RunStatus{surgical.StatusRunning, surgical.StatusFailed} {
		m.made(string(status), status, 7)
		if _, err := m.Resend(m.Context(), string(status), interval); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("of a run that is %s: %v", status, err)
		}
	}
}

func collect(t *testing.T, list func(func(string, error) bool)) (ids []string) {
	t.Helper()
	for id, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestOpenRuns_ListsOneStatusOldestFirst(t *testing.T) {
	m := inMemory(t)
	for i, status := range []surgical.RunStatus{surgical.StatusQueued, surgical.StatusRunning, surgical.StatusQueued, surgical.StatusFailed, surgical.StatusQueued} {
		m.made(fmt.Sprint("r", 9-i), status, 7) // a second apart
	}
	for _, c := range []struct {
		before time.Duration
		want   []string
	}{{0, []string{"r9", "r7", "r5"}}, {-time.Microsecond, []string{"r9", "r7"}}, {-4 * time.Second, []string{"r9"}}, {-5 * time.Second, nil}} {
		if got := collect(t, m.OpenRuns(m.Context(), surgical.StatusQueued, m.now.Add(c.before))); !slices.Equal(got, c.want) {
			t.Errorf("made before %v: %v, want %v", c.before, got, c.want)
		}
	}
	for range m.OpenRuns(m.Context(), surgical.StatusQueued, m.now) {
		break
	}
	broken := errors.New("broken")
	failing[*dynamodb.QueryInput](m, false, broken)
	for id, err := range m.OpenRuns(m.Context(), surgical.StatusQueued, m.now) {
		if id != "" || !errors.Is(err, broken) {
			t.Errorf("%q, %v", id, err)
		}
	}
}

func TestRunsToSweep_AreThoseWhoseTimeHasCome(t *testing.T) {
	m := inMemory(t)
	due := func() []string { return collect(t, m.RunsToSweep(m.Context())) }
	m.made("r", surgical.StatusRunning, 7)
	run, err := m.EnterIngest(m.Context(), m.run("r"), 0) // it may stage from here on
	m.must(err)
	m.made("clean", surgical.StatusQueued, 7)
	began := m.now.Add(-time.Second)
	m.now = began.Add(15*time.Minute - time.Microsecond)
	if got := due(); len(got) > 0 {
		t.Errorf("%v are swept too soon", got)
	}
	m.now = began.Add(15 * time.Minute)
	if got := due(); !slices.Equal(got, []string{"r"}) {
		t.Errorf("due: %v", got)
	}
	m.must(m.SweepAgain(m.Context(), "r"))
	if got := due(); len(got) > 0 {
		t.Errorf("after it was postponed, %v are due", got)
	}
	m.now = m.now.Add(15 * time.Minute)
	if got := due(); !slices.Equal(got, []string{"r"}) {
		t.Errorf("due 15 minutes later: %v", got)
	}
	// What ended differently since it was read is not noted as swept.
	ended := run
	ended.Status = surgical.StatusFailed
	if err := m.Swept(m.Context(), ended); !errors.Is(err, surgical.ErrMoved) || len(due()) != 1 {
		t.Errorf("swept although it moved: %v", err)
	}
	m.must(m.Swept(m.Context(), run))
	if got := due(); len(got) > 0 || m.run("r").SweepPending {
		t.Errorf("after it was swept, %v are due", got)
	}
	if err := m.SweepAgain(m.Context(), "r"); !errors.Is(err, surgical.ErrMoved) {
		t.Errorf("postponed after it was swept: %v", err)
	}
}

func TestSettled_FifteenMinutesAfterTheEnd(t *testing.T) {
	m := inMemory(t)
	for _, c := range []struct {
		status surgical.RunStatus
		age    time.Duration
		want   bool
	}{
		{surgical.StatusFailed, 15 * time.Minute, true}, {surgical.StatusFailed, 15*time.Minute - 1, false},
		{surgical.StatusSucceeded, time.Hour, true}, {surgical.StatusCancelled, time.Hour, true},
		{surgical.StatusRunning, time.Hour, false}, {surgical.StatusQueued, time.Hour, false},
	} {
		if got := m.Settled(surgical.Run{Status: c.status, FinishedAt: m.now.Add(-c.age)}); got != c.want {
			t.Errorf("%s for %v: settled %v", c.status, c.age, got)
		}
	}
}

func TestInsertDirty_AndReadItBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := inMemory(t)
		want := surgical.DirtySource{
			ID: rapid.StringMatching(`[a-z]{1,20}\.[1-9]`).Draw(rt, "id"), RunID: rapid.StringMatching(`[a-z]{1,20}`).Draw(rt, "run"),
			Ref:      surgical.EntityRef{ProjectID: rapid.Int64Range(1, 1<<40).Draw(rt, "project"), Target: surgical.Target{Type: surgical.MergeRequest, IID: rapid.Int64Range(1, 1<<40).Draw(rt, "iid")}},
			Revision: rapid.Int64Range(0, 1<<40).Draw(rt, "revision"), CreatedAt: m.now.Add(rapid.Custom(func(rt *rapid.T) time.Duration {
				return time.Duration(rapid.Int64Range(0, 1<<40).Draw(rt, "us")) * time.Microsecond
			}).Draw(rt, "created")),
			Scope: surgical.Scope{All: rapid.Bool().Draw(rt, "all"), Hide: rapid.Bool().Draw(rt, "hide")},
		}
		if !want.Scope.All {
			want.Scope.Children = rapid.SliceOfN(rapid.StringMatching(`discussion#[0-9a-f]{1,40}`), 1, 30).Draw(rt, "children")
		}
		m.leave(want)
		got, err := m.DirtySources(m.Context(), want.Ref)
		m.must(err)
		if diff := cmp.Diff([]surgical.DirtySource{want}, got); diff != "" {
			rt.Fatalf("dirty sources (-want +got):\n%s", diff)
		}
	})
}

func TestInsertDirty_ReplacesNone(t *testing.T) {
	m := inMemory(t)
	m.leave(source("a.1", "a", 7, 1, "x"))
	item, err := m.InsertDirty(source("a.1", "b", 7, 2, "y"))
	m.must(err)
	if err := dynamo.Transact(t.Context(), m.db.Client(), []types.TransactWriteItem{item}); dynamo.Refusals(err) == nil {
		t.Errorf("a dirty source replaced another: %v", err)
	}
}

func TestEntities_OnceTheRunHasEnded(t *testing.T) {
	m := inMemory(t)
	m.made("open", surgical.StatusRunning, 7, 8)
	if rows, err := m.Entities(m.Context(), "open"); err != nil || len(rows) > 0 {
		t.Errorf("of an open run: %v, %v", rows, err)
	}
	m.made("failed", surgical.StatusFailed, 8, 7)
	rows, err := m.Entities(m.Context(), "failed")
	m.must(err)
	var want []surgical.EntityRow
	for _, iid := range []int64{7, 8} {
		want = append(want, surgical.EntityRow{
			RunID: "failed", Ref: issue(iid), Stage: surgical.StagePreflight, Status: surgical.EntityFailed,
			Code: surgical.CodeIngestFailed, Message: "broken", UpdatedAt: m.now,
		})
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	broken := errors.New("broken")
	failing[*dynamodb.QueryInput](m, false, broken)
	if _, err := m.Entities(m.Context(), "failed"); !errors.Is(err, broken) {
		t.Errorf("rows that were not read: %v", err)
	}
	if _, err := m.DirtySources(m.Context(), issue(7)); !errors.Is(err, broken) {
		t.Errorf("dirty sources that were not read: %v", err)
	}
	if _, err := m.LeftBehind(m.Context(), issue(7)); !errors.Is(err, broken) {
		t.Errorf("what was left and not read: %v", err)
	}
}
