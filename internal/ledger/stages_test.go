package ledger_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

var errBroken = surgical.NewError(surgical.CodeIngestFailed, "broken")

// claimed is a running run that its first attempt holds.
func (m *memory) claimed(id string, iids ...int64) surgical.Run {
	m.Helper()
	m.made(id, surgical.StatusRunning, iids...)
	return m.run(id)
}

// ingesting is a claimed run that may have staged something.
func (m *memory) ingesting(id string, iids ...int64) surgical.Run {
	m.Helper()
	run, err := m.EnterIngest(m.Context(), m.claimed(id, iids...), 5)
	m.must(err)
	return run
}

// committed is a run whose commit inserted a docs job for each target.
func (m *memory) committed(id string, iids ...int64) surgical.Run {
	m.Helper()
	run := m.ingesting(id, iids...)
	mark := ledger.CommitMark{At: m.now, Outcomes: map[surgical.Target]surgical.Outcome{}, JobsInserted: int64(len(iids)), ChildrenWritten: 2, ContentWriteUnits: 11}
	var items []types.TransactWriteItem
	for _, ref := range run.Refs() {
		mark.Outcomes[ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Revision: 3, Changed: true}
		job, err := m.InsertJob(jobFor(id, surgical.JobDocs, ref))
		m.must(err)
		items = append(items, job)
	}
	row, err := m.CommitRun(run, mark)
	m.must(err)
	m.must(dynamo.Transact(m.Context(), m.db.Client(), append(items, row)))
	after := m.run(id)
	if diff := cmp.Diff(after, m.Marked(run, mark), errorsByText); diff != "" {
		m.Fatalf("the marked run (-stored +returned):\n%s", diff)
	}
	return after
}

// finished is a committed run of one target whose docs job is done.
func (m *memory) finished(id string, iid int64) surgical.Run {
	m.Helper()
	run := m.committed(id, iid)
	m.must(m.finish(m.claimJob(run, surgical.JobDocs, iid), ledger.Settled()))
	return m.run(id)
}

func jobFor(runID string, typ surgical.JobType, ref surgical.EntityRef) surgical.Job {
	return surgical.Job{
		RunID: runID, ID: ledger.JobID(typ, ref.Target), Type: typ, Ref: ref, Scope: surgical.Scope{All: true},
		DirtyID: runID + ".1", Status: surgical.JobPending,
	}
}

func (m *memory) claimJob(run surgical.Run, typ surgical.JobType, iid int64) surgical.Job {
	m.Helper()
	job, err := m.ClaimJob(m.Context(), surgical.Job{RunID: run.RunID, ID: ledger.JobID(typ, issue(iid).Target)}, 1, time.Minute)
	m.must(err)
	return job
}

// jobs describes the run's jobs.
func (m *memory) jobs(id string) (list []string) {
	m.Helper()
	jobs, err := m.Jobs(m.Context(), id)
	m.must(err)
	for _, j := range jobs {
		list = append(list, fmt.Sprintf("%s %s %s", j.ID, j.Status, j.AbortedReason))
	}
	return list
}

// entities describes what the run left in sync_run_entities.
func (m *memory) entities(id string) (list []string) {
	m.Helper()
	rows, err := m.Entities(m.Context(), id)
	m.must(err)
	for _, r := range rows {
		list = append(list, fmt.Sprintf("%s %s %s %s %s", r.Ref.Target, r.Stage, r.Status, r.Code, r.Message))
	}
	return list
}

// row is the run's row as it is stored.
func (m *memory) row(id string) dynamo.Item {
	m.Helper()
	for _, item := range m.db.Items(m.tables.SyncRuns) {
		if text, ok := item["run_id"].(*types.AttributeValueMemberS); ok && text.Value == id {
			return item
		}
	}
	m.Fatalf("there is no row of %s", id)
	return nil
}

// errorsByText compares failures by what is stored: everything but the cause.
var errorsByText = cmp.Comparer(func(a, b *surgical.Error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error() && a.Action == b.Action && a.Retryable == b.Retryable && a.RunID == b.RunID && cmp.Equal(a.Failures, b.Failures)
})
