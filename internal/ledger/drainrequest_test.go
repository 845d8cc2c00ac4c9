package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestRequestDrain_KeepsTheNewestRequestOfAProject(t *testing.T) {
	m := inMemory(t)
	began := m.now
	request := func(project int64) {
		at, err := m.RequestDrain(m.Context(), project)
		m.must(err)
		if !at.Equal(m.now) {
			t.Errorf("requested at %v, want %v", at, m.now)
		}
		m.now = m.now.Add(time.Minute)
	}
	request(1)
	request(0)
	request(1)
	for project, want := range map[int64]time.Time{0: began.Add(time.Minute), 1: began.Add(2 * time.Minute), 2: {}} {
		at, err := m.DrainRequestedAt(m.Context(), project)
		m.must(err)
		if !at.Equal(want) {
			t.Errorf("project %d: %v, want %v", project, at, want)
		}
	}
}

func TestCountUndone_CountsEntitiesOfTheProjectsThatMatch(t *testing.T) {
	m := inMemory(t)
	other := source("c.1", "c", 9, 1)
	other.Ref.ProjectID = 2
	m.leave(source("a.1", "a", 7, 1), source("b.1", "b", 7, 1), source("a.1", "a", 8, 1), other)
	for project, want := range map[int64]int{0: 3, 1: 2, 2: 1, 3: 0} {
		got, err := m.CountUndone(m.Context(), func(id int64) bool { return project == 0 || id == project })
		m.must(err)
		if got != want {
			t.Errorf("project %d: %d entities, want %d", project, got, want)
		}
	}
}

func TestRequestDrain_ReportsWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fail func(m *memory)
		call func(m *memory) error
	}{
		"the request": {func(m *memory) { failing[*dynamodb.UpdateItemInput](m, false, broken) }, func(m *memory) error { _, err := m.RequestDrain(m.Context(), 1); return err }},
		"its reading": {func(m *memory) { failing[*dynamodb.GetItemInput](m, false, broken) }, func(m *memory) error { _, err := m.DrainRequestedAt(m.Context(), 1); return err }},
		"the count": {func(m *memory) { failing[*dynamodb.ScanInput](m, false, broken) }, func(m *memory) error {
			_, err := m.CountUndone(m.Context(), func(int64) bool { return true })
			return err
		}},
	} {
		m := inMemory(t)
		m.leave(surgical.DirtySource{ID: "a.1", RunID: "a", Ref: issue(7)})
		c.fail(m)
		if err := c.call(m); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
