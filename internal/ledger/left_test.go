package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// marked reports whether the entity is marked.
func (m *memory) marked(iid int64) bool {
	m.Helper()
	items, err := dynamo.GetTogether(m.Context(), m.db.Client(), m.LeftLookup(issue(iid)))
	m.must(err)
	return items[0] != nil
}

// mark ends a run that leaves something of the entity undone.
func (m *memory) mark(id string, iid int64) {
	m.Helper()
	_, err := m.Close(m.Context(), m.committed(id, iid), surgical.Failed{Error: errBroken})
	m.must(err)
}

// left reads what was left of the entity.
func (m *memory) left(iid int64) ledger.Left {
	m.Helper()
	left, err := m.LeftBehind(m.Context(), issue(iid))
	m.must(err)
	return left
}

// takeOver takes over what was left of the entities, in at most room items.
func (m *memory) takeOver(room int, left ...ledger.Left) error {
	m.Helper()
	items, err := m.TakeOver(left, room)
	m.must(err)
	if len(items) > room {
		m.Fatalf("%d items, room for %d", len(items), room)
	}
	return dynamo.Transact(m.Context(), m.db.Client(), items)
}

// withOptions is a run that has committed the entity without a job.
func (m *memory) withOptions(options surgical.Options) surgical.Run {
	m.Helper()
	req := surgical.Request{RunID: "r", ProjectID: 1, Targets: []surgical.Target{issue(7).Target}, Origin: surgical.OriginManual, EventAt: m.now, Options: options}
	run, err := m.Claim(m.Context(), surgical.Run{}, surgical.Claim{Request: req, MessageID: "m", Lease: time.Minute})
	m.must(err)
	row, err := m.CommitRun(run, ledger.CommitMark{At: m.now, Outcomes: map[surgical.Target]surgical.Outcome{issue(7).Target: {Status: surgical.EntityOK, Changed: true}}})
	m.must(err)
	m.must(dynamo.Transact(m.Context(), m.db.Client(), []types.TransactWriteItem{row}))
	return m.run("r")
}

func TestClose_MarksTheEntitiesOfWhichItLeavesSomethingUndone(t *testing.T) {
	for name, c := range map[string]struct {
		run    func(m *memory) surgical.Run
		ending surgical.Ending
		want   bool
	}{
		"failed in docs":           {func(m *memory) surgical.Run { return m.committed("r", 7) }, surgical.Failed{Error: errBroken}, true},
		"cancelled in docs":        {func(m *memory) surgical.Run { return m.committed("r", 7) }, surgical.Cancelled{Error: errBroken}, true},
		"without docs":             {func(m *memory) surgical.Run { return m.withOptions(surgical.Options{NoDocs: true, NoEmbed: true}) }, surgical.Succeeded{}, false},
		"without embeddings":       {func(m *memory) surgical.Run { return m.withOptions(surgical.Options{NoEmbed: true}) }, surgical.Succeeded{}, false},
		"with everything":          {func(m *memory) surgical.Run { return m.withOptions(surgical.Options{}) }, surgical.Succeeded{}, false},
		"all jobs done":            {func(m *memory) surgical.Run { return m.finished("r", 7) }, surgical.Succeeded{}, false},
		"failed before it wrote":   {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.GivenUp{Attempt: 1, Error: errBroken}, false},
		"covered by another run":   {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.Coalesced{Attempt: 1, With: "x"}, false},
		"cancelled while queued":   {func(m *memory) surgical.Run { m.made("r", surgical.StatusQueued, 7); return m.run("r") }, surgical.Cancelled{Error: errBroken}, false},
		"a preview that is fine":   {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.Previewed{Attempt: 1}, false},
		"lost before its commit":   {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.Lost{Attempt: 1, Error: errBroken}, false},
		"failed with every entity": {func(m *memory) surgical.Run { return m.committed("r", 6, 7) }, surgical.Failed{Error: errBroken}, true},
	} {
		m := inMemory(t)
		_, err := m.Close(m.Context(), c.run(m), c.ending)
		m.must(err)
		if got := m.marked(7); got != c.want || m.marked(8) {
			t.Errorf("%s: marked %v", name, got)
		}
	}
}

func TestTakeOver_RemovesTheRowsOfEndedRunsAndTheMark(t *testing.T) {
	m := inMemory(t)
	m.mark("failed", 7)
	m.made("running", surgical.StatusRunning, 7)
	m.leave(source("failed.1", "failed", 7, 1, "a"), source("gone.1", "gone", 7, 1, "b"), source("running.1", "running", 7, 2, "c"))
	m.must(m.takeOver(3, m.left(7)))
	if diff := cmp.Diff([]string{"running.1 of running, revision 2, {All:false Children:[c] Hide:false}"}, m.dirty(issue(7))); diff != "" || m.marked(7) {
		t.Errorf("marked %v, dirty sources (-want +got):\n%s", m.marked(7), diff)
	}
}

// A mark without rows is what a drain of an earlier version leaves.
func TestTakeOver_ClearsAMarkThatOutlivedItsRows(t *testing.T) {
	m := inMemory(t)
	m.mark("failed", 7)
	left := m.left(7)
	m.must(m.takeOver(1, left))
	if len(left.Rows) > 0 || m.marked(7) {
		t.Errorf("rows %v, marked %v", left.Rows, m.marked(7))
	}
}

func TestTakeOver_IsRefusedIfAnotherRunCameFirst(t *testing.T) {
	for name, meanwhile := range map[string]func(m *memory){
		"took a row over": func(m *memory) {
			remove(m, m.tables.DirtySources, dynamo.Item{"entity": str(issue(7).Key()), "dirty_id": str("failed.1")})
		},
		"left something":   func(m *memory) { m.mark("another", 7) },
		"cleared the mark": func(m *memory) { remove(m, m.tables.State, dynamo.Item{"name": str("left_behind#" + issue(7).Key())}) },
	} {
		m := inMemory(t)
		m.mark("failed", 7)
		m.leave(source("failed.1", "failed", 7, 1, "a"), source("failed.2", "failed", 7, 1, "b"))
		left := m.left(7)
		meanwhile(m)
		if err := m.takeOver(3, left); !dynamo.Contended(err) {
			t.Errorf("%s: %v", name, err)
		}
		if len(m.dirty(issue(7))) == 0 {
			t.Errorf("%s: everything is gone", name)
		}
	}
}

// What does not fit into the transaction is found again: the mark stays with it.
func TestTakeOver_LeavesTheMarkWithWhatDoesNotFit(t *testing.T) {
	for room, want := range map[int]string{0: "3 true, 1 true", 2: "1 true, 1 true", 3: "0 true, 1 true", 4: "0 true, 0 true", 5: "0 false, 0 true", 6: "0 false, 0 false"} {
		m := inMemory(t)
		for _, iid := range []int64{7, 8} {
			m.mark(fmt.Sprint("failed", iid), iid)
		}
		m.leave(source("failed.1", "failed7", 7, 1), source("failed.2", "failed7", 7, 1), source("failed.3", "failed7", 7, 1), source("failed.1", "failed8", 8, 1))
		if room > 0 {
			m.must(m.takeOver(room, m.left(7), m.left(8)))
		}
		if got := fmt.Sprintf("%d %v, %d %v", len(m.dirty(issue(7))), m.marked(7), len(m.dirty(issue(8))), m.marked(8)); got != want {
			t.Errorf("room for %d: %s, want %s", room, got, want)
		}
	}
}

func TestUnintended_IsWithoutWhatWasLeftOnPurpose(t *testing.T) {
	m := inMemory(t)
	m.made("failed", surgical.StatusFailed, 7)
	m.made("cancelled", surgical.StatusCancelled, 7)
	m.made("done", surgical.StatusSucceeded, 7)
	m.leave(source("done.1", "done", 7, 1), source("failed.1", "failed", 7, 1), source("gone.1", "gone", 7, 1), source("cancelled.1", "cancelled", 7, 1))
	var ids []string
	for _, row := range m.left(7).Unintended().Rows {
		ids = append(ids, row.ID)
	}
	if diff := cmp.Diff([]string{"cancelled.1", "failed.1", "gone.1"}, ids); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestDrain_ClearsTheMark(t *testing.T) {
	m := inMemory(t)
	m.mark("failed", 7)
	m.leave(source("failed.1", "failed", 7, 1, "a"))
	_, err := m.Drain(m.Context(), m.drain("drain", 7, 8))
	m.must(err)
	if m.marked(7) {
		t.Error("a drained entity is still marked")
	}
}

func TestBehind_SaysWhatIsUndoneOfTheEntity(t *testing.T) {
	m := inMemory(t)
	if behind, err := m.Behind(m.Context(), issue(7)); err != nil || behind != nil {
		t.Errorf("%+v, %v", behind, err)
	}
	m.made("failed", surgical.StatusFailed, 7)
	m.made("running", surgical.StatusRunning, 8)
	m.leave(source("failed.1", "failed", 7, 1, "a"), source("gone.1", "gone", 7, 1, "b"), source("running.1", "running", 8, 2, "c"))
	for iid, want := range map[int64]string{7: "waiting failed 2", 8: "running running 1"} {
		b, err := m.Behind(m.Context(), issue(iid))
		m.must(err)
		if got := fmt.Sprintf("%s %s %d", b.State, b.RunID, b.Changes); got != want {
			t.Errorf("%d: %s, want %s", iid, got, want)
		}
	}
	broken := errors.New("broken")
	failing[*dynamodb.GetItemInput](m, false, broken)
	if _, err := m.Behind(m.Context(), issue(7)); !errors.Is(err, broken) {
		t.Errorf("a run that was not read: %v", err)
	}
	failing[*dynamodb.QueryInput](m, false, broken)
	if _, err := m.Behind(m.Context(), issue(7)); !errors.Is(err, broken) {
		t.Errorf("rows that were not read: %v", err)
	}
}

func TestLeftBehind_SaysSinceWhenTheOldestChangeWaits(t *testing.T) {
	m := inMemory(t)
	first := m.now
	m.made("failed", surgical.StatusFailed, 7)
	old := source("failed.1", "failed", 7, 1, "a")
	old.CreatedAt = first
	m.leave(old)
	for i := range 2 {
		m.now = m.now.Add(time.Hour)
		id := fmt.Sprint("drain", i)
		run, err := m.Drain(m.Context(), m.drain(id, 7))
		m.must(err)
		_, err = m.Close(m.Context(), run, surgical.Failed{Error: errBroken})
		m.must(err)
		rows := m.left(7).Rows
		if len(rows) != 1 || !rows[0].BehindSince().Equal(first) || !rows[0].CreatedAt.Equal(m.now) {
			t.Errorf("after %s: %+v", id, rows)
		}
	}
}
