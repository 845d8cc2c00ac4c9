package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// pages lists everything, limit runs at a time.
func pages(t *testing.T, limit int, list func(from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error)) (all []string) {
	t.Helper()
	var from ledger.RunPlace
	for {
		runs, next, err := list(from, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) > limit {
			t.Errorf("a page of %d holds %d", limit, len(runs))
		}
		if all = append(all, ids(runs)...); next.IsZero() {
			return all
		}
		from = next
	}
}

func TestListOfEntity_HoldsItsEndedRunsTheLastFirst(t *testing.T) {
	m := inMemory(t)
	for i := range 8 {
		m.made(fmt.Sprint("r", i), []surgical.RunStatus{surgical.StatusSucceeded, surgical.StatusFailed, surgical.StatusRunning, surgical.StatusCancelled}[i%4], 7, int64(10+i%2))
	}
	remove(m, m.tables.SyncRuns, dynamo.Item{"run_id": str("r5")}) // it expired
	for ref, want := range map[surgical.EntityRef][]string{
		issue(7): {"r7", "r4", "r3", "r1", "r0"}, issue(10): {"r4", "r0"}, issue(11): {"r7", "r3", "r1"}, issue(12): nil,
	} {
		for _, limit := range []int{1, 2, 100} {
			got := pages(t, limit, func(from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error) {
				return m.ListOfEntity(m.Context(), ref, from, limit)
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %v, want %v", ref, limit, got, want)
			}
		}
	}
}

// Runs of one instant have an order too, so that none is lost or repeated
// between two pages.
func TestList_PagesThroughRunsOfOneInstant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := inMemory(t)
		statuses := []surgical.RunStatus{surgical.StatusQueued, surgical.StatusRunning, surgical.StatusSucceeded}
		var want []string
		for i := range rapid.IntRange(0, 12).Draw(rt, "runs") {
			id := fmt.Sprintf("r%02d", i)
			m.made(id, rapid.SampledFrom(statuses).Draw(rt, "status"), 7)
			if rapid.Bool().Draw(rt, "same instant") {
				m.now = m.now.Add(-time.Second)
			}
			want = append(want, id)
		}
		for _, filter := range []ledger.RunFilter{{}, {ProjectID: 1}, {Statuses: statuses}} {
			got := pages(t, rapid.IntRange(1, 5).Draw(rt, "limit"), func(from ledger.RunPlace, limit int) ([]surgical.Run, ledger.RunPlace, error) {
				return m.List(m.Context(), filter, from, limit)
			})
			if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, want) {
				rt.Fatalf("%+v: %v, want each of %v once", filter, got, want)
			}
		}
	})
}

func TestList_OfARareStatusEndsAPageWithoutRuns(t *testing.T) {
	m := inMemory(t)
	for i := range 1010 {
		m.made(fmt.Sprintf("q%04d", i), surgical.StatusQueued, 7)
	}
	filter := ledger.RunFilter{ProjectID: 2, Statuses: []surgical.RunStatus{surgical.StatusQueued}}
	runs, next, err := m.List(m.Context(), filter, ledger.RunPlace{}, 99)
	if err != nil || len(runs) > 0 || next.IsZero() {
		t.Fatalf("the first page: %d runs, next %+v, %v", len(runs), next, err)
	}
	runs, next, err = m.List(m.Context(), filter, next, 99)
	if err != nil || len(runs) > 0 || !next.IsZero() {
		t.Errorf("the second page: %d runs, next %+v, %v", len(runs), next, err)
	}
}

func TestListAndOpen_ReportWhatTheyCouldNotRead(t *testing.T) {
	broken := errors.New("broken")
	for name, list := range map[string]func(m *memory) error{
		"List": func(m *memory) error {
			_, _, err := m.List(m.Context(), ledger.RunFilter{}, ledger.RunPlace{}, 10)
			return err
		},
		"ListOfEntity": func(m *memory) error {
			_, _, err := m.ListOfEntity(m.Context(), issue(7), ledger.RunPlace{}, 10)
			return err
		},
		"Open":     func(m *memory) error { _, _, err := m.Open(m.Context(), 10); return err },
		"Outcomes": func(m *memory) error { _, err := m.Outcomes(m.Context(), []surgical.EntityRef{issue(7)}); return err },
	} {
		for at := 1; ; at++ {
			m := inMemory(t)
			m.made("a", surgical.StatusFailed, 7)
			m.made("b", surgical.StatusRunning, 7)
			calls := 0
			m.around = func(_ any, send func() (any, error)) (any, error) {
				if calls++; calls == at {
					return nil, broken
				}
				return send()
			}
			err := list(m)
			if calls < at {
				if err != nil || at < 3 {
					t.Errorf("%s: %d calls, %v", name, calls, err)
				}
				break
			}
			if !errors.Is(err, broken) {
				t.Errorf("%s: call %d failed, and the answer is %v", name, at, err)
			}
		}
	}
	m := inMemory(t)
	failing[*dynamodb.QueryInput](m, false, broken)
	if _, _, err := m.Count(m.Context(), surgical.StatusFailed, ledger.Span{}, 5); !errors.Is(err, broken) {
		t.Errorf("Count: %v", err)
	}
}

func TestPauseLookup_ReadsThePauseWithOtherRows(t *testing.T) {
	m := inMemory(t)
	m.made("r", surgical.StatusQueued, 7)
	read := func() time.Time {
		t.Helper()
		items, err := dynamo.GetTogether(t.Context(), m.db.Client(), m.RunLookup("r"), m.PauseLookup())
		m.must(err)
		if run, err := ledger.RunOf(items[0]); err != nil || run.RunID != "r" {
			t.Errorf("the run: %+v, %v", run, err)
		}
		until, err := ledger.PauseOf(items[1])
		m.must(err)
		return until
	}
	if until := read(); !until.IsZero() {
		t.Errorf("without a pause: %v", until)
	}
	m.must(m.SetPause(m.Context(), m.now.Add(time.Minute), surgical.CodeGitLabRateLimited))
	if until := read(); !until.Equal(m.now.Add(time.Minute)) {
		t.Errorf("with a pause of a minute: %v", until)
	}
	if _, err := ledger.PauseOf(dynamo.Item{"until": str("x")}); err == nil {
		t.Error("a pause until no time is read")
	}
}
