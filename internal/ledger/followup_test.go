package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// adding returns the write of a follow-up of issue 7, as an attempt of the run
// prepares it.
func (m *memory) adding(run string, f surgical.FollowUp) types.TransactWriteItem {
	m.Helper()
	f.Ref, f.EventAt = issue(7), m.now
	item, err := m.AddFollowUp(m.Context(), surgical.AttemptID{RunID: run, Number: 1}, f)
	m.must(err)
	return item
}

func (m *memory) transact(items ...types.TransactWriteItem) error {
	return dynamo.Transact(m.Context(), m.db.Client(), items)
}

// due lists the follow-ups that are due by the time.
func (m *memory) due(by time.Time) (list []surgical.FollowUp) {
	m.Helper()
	for f, err := range m.FollowUps(m.Context(), by) {
		m.must(err)
		list = append(list, f)
	}
	return list
}

func TestAddFollowUp_KeepsOnePendingAnEntity(t *testing.T) {
	m := inMemory(t)
	m.must(m.transact(m.adding("w1", surgical.FollowUp{NotBefore: m.now.Add(time.Minute), Evidence: surgical.Evidence{NoteID: 71}})))
	m.must(m.transact(m.adding("w2", surgical.FollowUp{NotBefore: m.now.Add(time.Hour), ConfirmAt: m.now.Add(time.Hour), Evidence: surgical.Evidence{NoteID: 70, UpdatedAt: m.now}})))
	want := []surgical.FollowUp{{
		Ref: issue(7), NotBefore: m.now.Add(time.Minute), ConfirmAt: m.now.Add(time.Hour), EventAt: m.now,
		Evidence: surgical.Evidence{NoteID: 71, UpdatedAt: m.now}, By: surgical.AttemptID{RunID: "w2", Number: 1},
	}}
	if diff := cmp.Diff(want, m.due(m.now.Add(time.Minute))); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	if early := m.due(m.now.Add(time.Minute - time.Microsecond)); len(early) > 0 {
		t.Errorf("due before its time: %+v", early)
	}
}

// Whatever was read: a follow-up that moved in the meantime refuses the write.
func TestAddFollowUp_IsRefusedIfThePendingOneMoves(t *testing.T) {
	m := inMemory(t)
	first, second := m.adding("w1", surgical.FollowUp{NotBefore: m.now}), m.adding("w2", surgical.FollowUp{NotBefore: m.now})
	m.must(m.transact(first))
	if err := m.transact(second); dynamo.Refusals(err) == nil {
		t.Errorf("a first follow-up replaced another: %v", err)
	}
	third, fourth := m.adding("w3", surgical.FollowUp{NotBefore: m.now}), m.adding("w4", surgical.FollowUp{NotBefore: m.now})
	m.must(m.transact(third))
	if err := m.transact(fourth); dynamo.Refusals(err) == nil {
		t.Errorf("a merged follow-up lost what came in between: %v", err)
	}
}

func TestBeginFollowUp_IsRefusedIfItMoved(t *testing.T) {
	m := inMemory(t)
	m.must(m.transact(m.adding("w1", surgical.FollowUp{NotBefore: m.now, ConfirmAt: m.now.Add(time.Hour)})))
	read := m.due(m.now)[0]
	run, err := m.BeginFollowUp(m.Context(), read)
	if m.must(err); run.Status != surgical.StatusQueued || run.Origin != surgical.OriginFollowUp {
		t.Errorf("run %+v", run)
	}
	// Its confirmation is still pending, under another time.
	if left := m.due(m.now.Add(time.Hour)); len(left) != 1 || !left[0].NotBefore.Equal(m.now.Add(time.Hour)) {
		t.Errorf("left %+v", left)
	}
	if _, err := m.BeginFollowUp(m.Context(), read); !errors.Is(err, surgical.ErrMoved) {
		t.Errorf("begun twice: %v", err)
	}
	left := m.due(m.now.Add(time.Hour))[0]
	m.must(m.transact(m.adding("w2", surgical.FollowUp{NotBefore: m.now.Add(time.Hour)})))
	if _, err := m.BeginFollowUp(m.Context(), left); !errors.Is(err, surgical.ErrMoved) || len(m.due(m.now.Add(time.Hour))) != 1 {
		t.Errorf("begun although another attempt added to it: %v", err)
	}
}
