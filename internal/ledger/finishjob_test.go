package ledger_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// lastJob is a run whose only job is held, after all of its work, and whose worker has
// recorded that it left no orphan.
func (m *memory) lastJob() (surgical.Run, surgical.Job) {
	m.Helper()
	run := m.committed("r", 7)
	m.must(m.WorkflowStarted(m.Context(), run, 1, true))
	run, err := m.EnterStage(m.Context(), "r", surgical.StageDocs, 1)
	m.must(err)
	job := progressed(m.claimJob(run, surgical.JobDocs, 7))
	job.Error, job.Unclean = nil, false
	m.leave(source(job.DirtyID, "r", 7, 3))
	m.now = m.now.Add(time.Second)
	return run, job
}

// ledgerOf is everything that the ledger stores, without the tokens of writes.
func (m *memory) ledgerOf() (rows []dynamo.Item) {
	rows = m.stored()
	for _, table := range []string{m.tables.SyncRunEntities, m.tables.DirtySources, m.tables.State} {
		rows = append(rows, m.db.Items(table)...)
	}
	return rows
}

// One transaction leaves what the end of the job and the closing of the run leave one
// after the other, and the run is counted once.
func TestFinishJob_ClosesARunOfWhichNothingIsLeftAsCloseDoes(t *testing.T) {
	for name, done := range map[string]func(m *memory) ledger.Done{
		"settled":    func(*memory) ledger.Done { return ledger.Settled() },
		"embedded":   func(m *memory) ledger.Done { return ledger.EmbeddedSince(m.now.Add(-time.Millisecond)) },
		"left dirty": func(*memory) ledger.Done { return ledger.LeftDirty() },
	} {
		for unclean, write := range map[bool]func(*surgical.Job){false: func(*surgical.Job) {}, true: func(j *surgical.Job) { j.Unclean = true }} {
			want := inMemory(t)
			_, job := want.lastJob()
			write(&job)
			if after, _, err := want.FinishJob(want.Context(), surgical.Run{}, job, done(want)); err != nil || after.Status != "" {
				t.Fatalf("%s: a run that is not known is %q, error %v", name, after.Status, err)
			}
			wantRun, err := want.Close(want.Context(), want.run("r"), surgical.Succeeded{})
			want.must(err)

			m := inMemory(t)
			var lines bytes.Buffer
			m.Ledger = m.Metered(metrics.New(&lines, "lorehook", func() time.Time { return m.now }))
			run, job := m.lastJob()
			write(&job)
			m.calls = nil
			closed, finished, err := m.FinishJob(m.Context(), run, job, done(m))
			m.must(err)
			if len(m.calls) != 1 {
				t.Errorf("%s: %d calls, want one transaction", name, len(m.calls))
			}
			if diff := cmp.Diff(want.ledgerOf(), m.ledgerOf(), cmp.AllowUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberM{}, types.AttributeValueMemberL{}, types.AttributeValueMemberSS{}, types.AttributeValueMemberBOOL{}, types.AttributeValueMemberNULL{})); diff != "" {
				t.Errorf("%s (-closed next +closed at once):\n%s", name, diff)
			}
			if diff := cmp.Diff(wantRun, closed, errorsByText); diff != "" || closed.SweepPending != unclean {
				t.Errorf("%s: to be swept: %v (-closed next +closed at once):\n%s", name, closed.SweepPending, diff)
			}
			if diff := cmp.Diff(m.run("r"), closed, errorsByText); diff != "" || finished.Status != surgical.JobDone {
				t.Errorf("%s: the job is %s (-stored +returned):\n%s", name, finished.Status, diff)
			}
			if n := bytes.Count(lines.Bytes(), []byte(`"Runs":1`)); n != 1 {
				t.Errorf("%s: the run is counted %d times:\n%s", name, n, &lines)
			}
		}
	}
}

// Whatever else is left to do of a run, its other jobs or its finish do that.
func TestFinishJob_LeavesARunOpenWhileAnythingOfItIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		iids []int64
		done ledger.Done
	}{
		"its embeddings": {[]int64{7}, ledger.LeftToEmbed(jobFor("r", surgical.JobEmbed, issue(7)))},
		"another target": {[]int64{7, 8}, ledger.Settled()},
		"others":         {[]int64{7, 8, 9}, ledger.LeftDirty()},
	} {
		m := inMemory(t)
		run := m.committed("r", c.iids...)
		after, job, err := m.FinishJob(m.Context(), run, m.claimJob(run, surgical.JobDocs, 7), c.done)
		if err != nil || job.Status != surgical.JobDone || after.Status != surgical.StatusRunning || m.run("r").Status != surgical.StatusRunning || len(m.entities("r")) > 0 {
			t.Errorf("%s: the job is %s, the run %s and stored as %s, error %v", name, job.Status, after.Status, m.run("r").Status, err)
		}
	}
	// Not even a row that counts one job closes a run of which embed was another.
	m := inMemory(t)
	run := m.committed("r", 7)
	m.must(m.finish(m.claimJob(run, surgical.JobDocs, 7), ledger.LeftToEmbed(jobFor("r", surgical.JobEmbed, issue(7)))))
	if after, _, err := m.FinishJob(m.Context(), run, m.claimJob(run, surgical.JobEmbed, 7), ledger.Settled()); err != nil || after.Status != surgical.StatusRunning {
		t.Errorf("embed: the run is %s, error %v", after.Status, err)
	}
}

// A claim that was lost, or a run that somebody else closed, is left as it is.
func TestFinishJob_ClosesNothingThatItDoesNotHold(t *testing.T) {
	for name, move := range map[string]func(m *memory, job surgical.Job){
		"claimed again": func(m *memory, _ surgical.Job) { m.claimJob(m.run("r"), surgical.JobDocs, 7) },
		"handed on":     func(m *memory, job surgical.Job) { _, err := m.HandOn(m.Context(), job); m.must(err) },
		"done":          func(m *memory, job surgical.Job) { m.must(m.finish(job, ledger.Settled())) },
		"failed":        func(m *memory, job surgical.Job) { m.must(m.FailJob(m.Context(), job)) },
		"cancelled": func(m *memory, _ surgical.Job) {
			_, err := m.Close(m.Context(), m.run("r"), surgical.Cancelled{Error: errBroken})
			m.must(err)
		},
		"closed, with its job still open": func(m *memory, _ surgical.Job) {
			ended := m.row("r")
			ended["status"] = str("failed")
			_, err := m.db.Client().PutItem(m.Context(), &dynamodb.PutItemInput{TableName: &m.tables.SyncRuns, Item: ended})
			m.must(err)
		},
		"with one more job": func(m *memory, _ surgical.Job) {
			more := m.row("r")
			more["jobs_inserted"] = &types.AttributeValueMemberN{Value: "2"}
			_, err := m.db.Client().PutItem(m.Context(), &dynamodb.PutItemInput{TableName: &m.tables.SyncRuns, Item: more})
			m.must(err)
		},
	} {
		for _, pending := range []bool{false, true} {
			m := inMemory(t)
			run, job := m.lastJob()
			run.SweepPending = pending // then it is read again
			move(m, job)
			before := m.ledgerOf()
			after, _, err := m.FinishJob(m.Context(), run, job, ledger.Settled())
			if name == "with one more job" && pending {
				// It is known, then: finish looks at all jobs.
				if err != nil || after.Status != surgical.StatusRunning || m.run("r").Status != surgical.StatusRunning {
					t.Errorf("%s: the run is %s, error %v", name, m.run("r").Status, err)
				}
				continue
			}
			if !errors.Is(err, surgical.ErrMoved) || !reflect.DeepEqual(before, m.ledgerOf()) {
				t.Errorf("%s: %v, changed %v", name, err, !reflect.DeepEqual(before, m.ledgerOf()))
			}
		}
	}
}

// The worker may record that it left no orphan after docs has begun.
func TestFinishJob_LearnsThatNothingIsLeftToSweep(t *testing.T) {
	for _, clean := range []bool{true, false} {
		m := inMemory(t)
		run, err := m.EnterStage(m.Context(), m.committed("r", 7).RunID, surgical.StageDocs, 1)
		m.must(err)
		m.must(m.WorkflowStarted(m.Context(), run, 1, clean))
		closed, _, err := m.FinishJob(m.Context(), run, m.claimJob(run, surgical.JobDocs, 7), ledger.Settled())
		m.must(err)
		if !run.SweepPending || closed.SweepPending == clean || m.run("r").SweepPending == clean || closed.Status != surgical.StatusSucceeded {
			t.Errorf("clean %v: the run is %s, to be swept: %v", clean, closed.Status, m.run("r").SweepPending)
		}
	}
	broken := errors.New("broken")
	m := inMemory(t)
	run := m.committed("r", 7)
	job := m.claimJob(run, surgical.JobDocs, 7)
	failing[*dynamodb.GetItemInput](m, false, broken)
	if _, _, err := m.FinishJob(m.Context(), run, job, ledger.Settled()); !errors.Is(err, broken) || m.run("r").Status != surgical.StatusRunning {
		t.Errorf("the run is %s, error %v", m.run("r").Status, err)
	}
}

// A failed transaction that closes the run is the failure of the job, as one that does not.
func TestFinishJob_ThatClosesTellsALostClaimFromAFailure(t *testing.T) {
	for code, moved := range map[string]bool{"ConditionalCheckFailed": true, "ValidationError": false} {
		m := inMemory(t)
		run, job := m.lastJob()
		answer := &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("None")}, {Code: aws.String(code)}}}
		failing[*dynamodb.TransactWriteItemsInput](m, false, answer)
		_, _, err := m.FinishJob(m.Context(), run, job, ledger.Settled())
		if errors.Is(err, surgical.ErrMoved) != moved || !moved && !errors.Is(err, answer) {
			t.Errorf("%s: %v", code, err)
		}
		m.around = nil
		if got := m.jobs("r"); !slices.Equal(got, []string{"docs#issue#7 claimed "}) || m.run("r").Status != surgical.StatusRunning {
			t.Errorf("%s: %v, the run is %s", code, got, m.run("r").Status)
		}
	}
}
