package ledger_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func claimOf(run surgical.Run, message string) surgical.Claim {
	return surgical.Claim{Request: run.Request, MessageID: message, Lease: time.Minute}
}

func TestClaim_TakesWhatNobodyHolds(t *testing.T) {
	request := surgical.Run{Request: surgical.Request{RunID: "r", ProjectID: 1, Origin: surgical.OriginWebhook, Targets: []surgical.Target{issue(7).Target}}}
	for name, c := range map[string]struct {
		seen func(m *memory) surgical.Run
		want string // attempt, lost leases, failed attempts, messages
	}{
		"a run that nobody saw yet": {func(*memory) surgical.Run { return surgical.Run{} }, "1 0 0 [new]"},
		"a queued one":              {func(m *memory) surgical.Run { m.made("r", surgical.StatusQueued, 7); return m.run("r") }, "1 0 0 [new]"},
		"one whose lease expired":   {func(m *memory) surgical.Run { return m.ingesting("r", 7) }, "2 1 0 [m new]"},
		"one that was given back": {func(m *memory) surgical.Run {
			m.must(m.Release(m.Context(), m.ingesting("r", 7), surgical.NewError(surgical.CodeGitLabUnavailable, "x"), 3))
			return m.run("r")
		}, "2 0 1 [m new]"},
	} {
		m := inMemory(t)
		seen := c.seen(m)
		first := seen.FirstClaimedAt
		m.now = m.now.Add(time.Hour)
		run, err := m.Claim(m.Context(), seen, claimOf(request, "new"))
		m.must(err)
		slices.Sort(run.MessageIDs)
		if got := fmt.Sprint(run.Attempt, run.LostLeases, run.FailedAttempts, run.MessageIDs); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if first.IsZero() {
			first = m.now
		}
		if run.Status != surgical.StatusRunning || run.Stage != surgical.StagePreflight || !run.Marks.PreflightStarted.Equal(m.now) ||
			!run.LeaseUntil.Equal(m.now.Add(time.Minute)) || !run.FirstClaimedAt.Equal(first) {
			t.Errorf("%s: %+v", name, run)
		}
		if stored := m.run("r"); !reflect.DeepEqual(sorted(stored), run) {
			t.Errorf("%s: stored as %+v, returned as %+v", name, stored, run)
		}
		// Two workers that saw the same row do not both get it.
		if _, err := m.Claim(m.Context(), seen, claimOf(request, "late")); !errors.Is(err, surgical.ErrMoved) || m.run("r").Attempt != run.Attempt {
			t.Errorf("%s, claimed twice: %v", name, err)
		}
	}
}

func sorted(run surgical.Run) surgical.Run {
	slices.Sort(run.MessageIDs)
	return run
}

func TestRelease_KeepsWhyTheRunWaits(t *testing.T) {
	for code, notFound := range map[surgical.Code]int64{surgical.CodeGitLabNotFound: 1, surgical.CodeGitLabRateLimited: 0} {
		m := inMemory(t)
		why := surgical.NewError(code, "x")
		why.RetryAfter = 90 * time.Second
		held := m.ingesting("r", 7)
		m.must(m.Release(m.Context(), held, why, 3))
		run := m.run("r")
		// A worker that saw it leased does not know that it was given back.
		if _, err := m.Claim(m.Context(), held, claimOf(held, "late")); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("%s: claimed by a worker that saw it leased: %v", code, err)
		}
		if run.FailedAttempts != 1 || run.NotFound != notFound || run.Counters.GitLabRequests != 8 || !run.LeaseUntil.IsZero() ||
			run.Status != surgical.StatusRunning || !run.SweepPending {
			t.Errorf("%s: %+v", code, run)
		}
		if run.Error == nil || run.Error.Code != code || run.Error.RetryAfter != why.RetryAfter || run.Error.RunID != "r" {
			t.Errorf("%s: waits for %+v", code, run.Error)
		}
	}
}

func TestRelease_KeepsSinceWhenListsAreDoubted(t *testing.T) {
	m := inMemory(t)
	m.made("r", surgical.StatusQueued, 7)
	why := surgical.NewError(surgical.CodeGitLabUnavailable, "x")
	minute := map[surgical.ChildKind]time.Time{surgical.KindDiscussion: m.now.Add(-time.Minute), surgical.KindStateEvent: m.now}
	for _, c := range []struct{ found, want surgical.Doubts }{
		{surgical.Doubts{issue(7).Target: minute}, surgical.Doubts{issue(7).Target: minute}},
		{nil, surgical.Doubts{issue(7).Target: minute}}, // it did not get that far
		{surgical.Doubts{}, nil},
	} {
		held, err := m.Claim(m.Context(), m.run("r"), claimOf(m.run("r"), "m"))
		m.must(err)
		if c.found != nil {
			held.DoubtedSince = c.found
		}
		m.must(m.Release(m.Context(), held, why, 3))
		if diff := cmp.Diff(c.want, m.run("r").DoubtedSince); diff != "" {
			t.Errorf("doubted since (-want +got):\n%s", diff)
		}
	}
}

// Earlier versions did not say which list of a target was doubted.
func TestRunOf_ReadsADoubtAboutAnyList(t *testing.T) {
	item := writtenBefore()["running"]
	item["doubted_since"] = object(dynamo.Item{"issue#7": number("1793599214000023")})
	run, err := ledger.RunOf(item)
	want := surgical.Doubts{}
	for _, kind := range surgical.ListKinds() {
		want.Add(issue(7).Target, kind, micros(1793599214000023))
	}
	if diff := cmp.Diff(want, run.DoubtedSince); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// change is one write of a run or a job, as its caller makes it.
type change struct {
	name string
	// of prepares the row, and returns the write.
	of func(m *memory) func() error
}

// changes are all single writes that leave a token.
func changes() []change {
	ofRun := func(run func(m *memory) surgical.Run, write func(m *memory, run surgical.Run) error) func(m *memory) func() error {
		return func(m *memory) func() error {
			seen := run(m)
			return func() error { return write(m, seen) }
		}
	}
	queued := func(m *memory) surgical.Run { m.made("r", surgical.StatusQueued, 7); return m.run("r") }
	claimed := func(m *memory) surgical.Run { return m.claimed("r", 7) }
	committed := func(m *memory) surgical.Run { return m.committed("r", 7) }
	ofJob := func(write func(m *memory, job surgical.Job) error) func(m *memory) func() error {
		return func(m *memory) func() error {
			job := m.claimJob(m.committed("r", 7), surgical.JobDocs, 7)
			return func() error { return write(m, job) }
		}
	}
	return []change{
		{"queue", ofRun(func(*memory) surgical.Run {
			return surgical.Run{Request: surgical.Request{RunID: "r", ProjectID: 1, Targets: []surgical.Target{issue(7).Target}}}
		}, func(m *memory, run surgical.Run) error { _, err := m.Queue(m.Context(), run.Request); return err })},
		{"claim", ofRun(queued, func(m *memory, run surgical.Run) error {
			_, err := m.Claim(m.Context(), run, claimOf(run, "new"))
			return err
		})},
		{"next attempt", ofRun(claimed, func(m *memory, run surgical.Run) error {
			_, err := m.NextAttempt(m.Context(), run, time.Minute)
			return err
		})},
		{"enter ingest", ofRun(claimed, func(m *memory, run surgical.Run) error { _, err := m.EnterIngest(m.Context(), run, 5); return err })},
		{"release", ofRun(claimed, func(m *memory, run surgical.Run) error {
			return m.Release(m.Context(), run, surgical.NewError(surgical.CodeGitLabNotFound, "x"), 3)
		})},
		{"resend", ofRun(queued, func(m *memory, run surgical.Run) error {
			_, err := m.Resend(m.Context(), run.RunID, time.Minute)
			return err
		})},
		{"workflow started", ofRun(committed, func(m *memory, run surgical.Run) error { return m.WorkflowStarted(m.Context(), run, 1, true) })},
		{"postpone", ofRun(committed, func(m *memory, run surgical.Run) error {
			_, err := m.Postpone(m.Context(), run, 1, m.setback(true))
			return err
		})},
		{"enter stage", ofRun(committed, func(m *memory, run surgical.Run) error {
			_, err := m.EnterStage(m.Context(), run.RunID, surgical.StageDocs, 1)
			return err
		})},
		{"sweep again", ofRun(committed, func(m *memory, run surgical.Run) error { return m.SweepAgain(m.Context(), run.RunID) })},
		{"swept", ofRun(committed, func(m *memory, run surgical.Run) error { return m.Swept(m.Context(), run) })},
		{"claim a job", func(m *memory) func() error {
			m.committed("r", 7)
			return func() error {
				_, err := m.ClaimJob(m.Context(), jobFor("r", surgical.JobDocs, issue(7)), 1, time.Minute)
				return err
			}
		}},
		{"hand on", ofJob(func(m *memory, job surgical.Job) error { _, err := m.HandOn(m.Context(), job); return err })},
		{"fail a job", ofJob(func(m *memory, job surgical.Job) error { return m.FailJob(m.Context(), job) })},
	}
}

func isWrite(input any) bool {
	switch input.(type) {
	case *dynamodb.PutItemInput, *dynamodb.UpdateItemInput:
		return true
	}
	return false
}

// stored is all rows of runs and jobs but for their tokens, which are random.
func (m *memory) stored() (rows []dynamo.Item) {
	for _, table := range []string{m.tables.SyncRuns, m.tables.DependentQueue} {
		for _, item := range m.db.Items(table) {
			delete(item, "write_token")
			rows = append(rows, item)
		}
	}
	return rows
}

// The SDK repeats a write that got no response. The second one finds its own
// token: it counts once, and the caller does not notice.
func TestEveryWrite_WhoseAnswerGotLostIsAppliedOnce(t *testing.T) {
	for _, c := range changes() {
		want := inMemory(t)
		want.must(c.of(want)())
		m := inMemory(t)
		write := c.of(m)
		m.around = func(input any, send func() (any, error)) (any, error) {
			if isWrite(input) {
				// A write that is rejected, such as one for a generation that the row
				// does not know, got its response.
				if out, err := send(); err != nil {
					return out, err
				}
			}
			return send()
		}
		if err := write(); err != nil || !reflect.DeepEqual(want.stored(), m.stored()) {
			t.Errorf("%s: %v\nstored: %v\nwant:   %v", c.name, err, m.stored(), want.stored())
		}
	}
}

// A write that DynamoDB did not accept is not mistaken for a lost race: nothing
// is written, and the caller tries again.
func TestEveryWrite_ThatFailsIsReportedAsWhatItIs(t *testing.T) {
	for name, want := range map[string]error{
		"throttled": &types.ProvisionedThroughputExceededException{Message: aws.String("slow down")},
		"conflict":  &types.TransactionConflictException{Message: aws.String("in use")},
		"broken":    errors.New("broken"),
	} {
		for _, c := range changes() {
			m := inMemory(t)
			write := c.of(m)
			before := m.stored()
			m.around = func(input any, send func() (any, error)) (any, error) {
				if isWrite(input) {
					return nil, want
				}
				return send()
			}
			if err := write(); !errors.Is(err, want) || errors.Is(err, surgical.ErrMoved) || !reflect.DeepEqual(before, m.stored()) {
				t.Errorf("%s, %s: %v", c.name, name, err)
			}
		}
	}
}

// If it is unknown whether a write was applied, the caller receives an error.
func TestEveryWrite_ThatCannotBeLookedUpIsReported(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range changes() {
		m := inMemory(t)
		write := c.of(m)
		m.around = func(input any, send func() (any, error)) (any, error) {
			if _, ok := input.(*dynamodb.GetItemInput); ok {
				return nil, broken
			}
			if isWrite(input) {
				return nil, &types.ConditionalCheckFailedException{}
			}
			return send()
		}
		if err := write(); !errors.Is(err, broken) || errors.Is(err, surgical.ErrMoved) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Only the attempt that holds an uncommitted run may change it.
func TestAttempts_ThatLostTheirRunChangeNothing(t *testing.T) {
	writes := map[string]func(m *memory, run surgical.Run) error{
		"next attempt": func(m *memory, run surgical.Run) error {
			_, err := m.NextAttempt(m.Context(), run, time.Minute)
			return err
		},
		"enter ingest": func(m *memory, run surgical.Run) error { _, err := m.EnterIngest(m.Context(), run, 5); return err },
		"release":      func(m *memory, run surgical.Run) error { return m.Release(m.Context(), run, errBroken, 3) },
		"claim": func(m *memory, run surgical.Run) error {
			_, err := m.Claim(m.Context(), run, claimOf(run, "new"))
			return err
		},
		"commit": func(m *memory, run surgical.Run) error {
			row, err := m.CommitRun(run, ledger.CommitMark{At: m.now})
			m.must(err)
			if err = dynamo.Transact(m.Context(), m.db.Client(), []types.TransactWriteItem{row}); dynamo.Refusals(err) != nil {
				return surgical.ErrMoved
			}
			return err
		},
	}
	for lost, move := range map[string]func(m *memory, run surgical.Run) error{
		"taken over": writes["next attempt"], "committed": writes["commit"],
		"cancelled": func(m *memory, run surgical.Run) error {
			_, err := m.Close(m.Context(), run, surgical.Cancelled{Error: errBroken})
			return err
		},
	} {
		for name, write := range writes {
			m := inMemory(t)
			run := m.claimed("r", 7)
			m.must(move(m, run))
			before := m.stored()
			if err := write(m, run); !errors.Is(err, surgical.ErrMoved) || !reflect.DeepEqual(before, m.stored()) {
				t.Errorf("%s after the run was %s: %v", name, lost, err)
			}
		}
	}
}
