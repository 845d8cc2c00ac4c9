package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// drain claims a drain run of the entities.
func (m *memory) drain(id string, iids ...int64) surgical.Run {
	m.Helper()
	req := surgical.Request{RunID: id, ProjectID: 1, Origin: surgical.OriginDrain, EventAt: m.now}
	for _, iid := range iids {
		req.Targets = append(req.Targets, issue(iid).Target)
	}
	run, err := m.Claim(m.Context(), surgical.Run{}, surgical.Claim{Request: req, MessageID: "m", Lease: time.Minute})
	m.must(err)
	return run
}

func source(id, run string, iid, revision int64, children ...string) surgical.DirtySource {
	return surgical.DirtySource{ID: id, RunID: run, Ref: issue(iid), Revision: revision, Scope: surgical.Scope{Children: children}}
}

func TestDrain_TakesOverWhatEndedRunsLeft(t *testing.T) {
	m := inMemory(t)
	m.made("failed", surgical.StatusFailed, 7)
	m.made("done", surgical.StatusSucceeded, 7)
	m.made("cancelled", surgical.StatusCancelled, 7)
	m.made("running", surgical.StatusRunning, 7, 8)
	m.made("queued", surgical.StatusQueued, 7)
	m.leave(
		source("failed.1", "failed", 7, 3, "b", "a"), source("done.1", "done", 7, 5, "c"), source("gone.2", "gone", 7, 1, "a"),
		source("cancelled.1", "cancelled", 9, 2, "x"), source("running.1", "running", 7, 6, "r"), source("queued.1", "queued", 8, 6, "q"),
	)
	run, err := m.Drain(m.Context(), m.drain("drain", 7, 8, 9))
	m.must(err)
	if !run.Committed() || run.JobsInserted != 2 || run.Stage != surgical.StageDocs {
		t.Errorf("the run: %+v", run)
	}
	target := func(iid int64) surgical.Target { return issue(iid).Target }
	if diff := cmp.Diff(map[surgical.Target]surgical.Outcome{
		target(7): {Status: surgical.EntityOK, Changed: true}, target(8): {Status: surgical.EntityOK}, target(9): {Status: surgical.EntityOK, Changed: true},
	}, run.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for iid, want := range map[int64][]string{
		7: {"drain.1 of drain, revision 5, {All:false Children:[a b c] Hide:false}", "running.1 of running, revision 6, {All:false Children:[r] Hide:false}"},
		8: {"queued.1 of queued, revision 6, {All:false Children:[q] Hide:false}"},
		9: {"drain.1 of drain, revision 2, {All:false Children:[x] Hide:false}"},
	} {
		if diff := cmp.Diff(want, m.dirty(issue(iid))); diff != "" {
			t.Errorf("dirty sources of %d (-want +got):\n%s", iid, diff)
		}
	}
	jobs, err := m.Jobs(m.Context(), "drain")
	m.must(err)
	for i, want := range []surgical.Job{
		{RunID: "drain", ID: "docs#issue#7", Type: surgical.JobDocs, Ref: issue(7), Scope: surgical.Scope{Children: []string{"a", "b", "c"}}, DirtyID: "drain.1", Status: surgical.JobPending},
		{RunID: "drain", ID: "docs#issue#9", Type: surgical.JobDocs, Ref: issue(9), Scope: surgical.Scope{Children: []string{"x"}}, DirtyID: "drain.1", Status: surgical.JobPending},
	} {
		if len(jobs) != 2 || !cmp.Equal(want, jobs[i]) {
			t.Errorf("job %d: %+v", i, jobs)
		}
	}
}

// A transaction takes 100 items; the rest is the next drain's.
func TestDrain_LeavesWhatATransactionCannotTake(t *testing.T) {
	m := inMemory(t)
	m.made("done", surgical.StatusSucceeded, 7)
	for i := range 130 {
		m.leave(source(fmt.Sprintf("done.%03d", i), "done", 7+int64(i%2), 1, fmt.Sprint("c", i)))
	}
	left := 130
	for i := range 3 {
		id := fmt.Sprint("drain", i)
		run, err := m.Drain(m.Context(), m.drain(id, 7, 8))
		m.must(err)
		if !run.Committed() {
			t.Fatalf("drain %d is not committed", i)
		}
		m.must(err)
		after := 0
		for _, iid := range []int64{7, 8} {
			for _, d := range m.dirty(issue(iid)) {
				if !strings.HasPrefix(d, "drain") {
					after++
				}
			}
		}
		if taken := left - after; taken > 95 || left > 95 && taken < 95 {
			t.Errorf("drain %d took %d of %d", i, taken, left)
		}
		left = after
	}
	if left != 0 {
		t.Errorf("%d dirty sources are left", left)
	}
}

func TestDrain_IsRefusedWhenAnotherTookARowFirst(t *testing.T) {
	m := inMemory(t)
	m.made("done", surgical.StatusSucceeded, 7)
	m.leave(source("done.1", "done", 7, 1, "a"), source("done.2", "done", 7, 1, "b"))
	run := m.drain("drain", 7)
	m.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.TransactWriteItemsInput); ok {
			remove(m, m.tables.DirtySources, dynamo.Item{"entity": str(issue(7).Key()), "dirty_id": str("done.1")})
		}
		return send()
	}
	_, err := m.Drain(m.Context(), run)
	if surgical.CodeOf(err) != surgical.CodeIngestFailed || !surgical.AsError(err).Retryable {
		t.Errorf("got %v", err)
	}
	if m.run("drain").Committed() {
		t.Error("a refused drain is committed")
	}
	m.around = nil
	if got := m.dirty(issue(7)); len(got) != 1 || !strings.HasPrefix(got[0], "done.2") {
		t.Errorf("left: %v", got)
	}
}

// Whatever the answer was, the row decides.
func TestDrain_GoesByTheRowAndNotByTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // throttled writes wait before they are sent again
		cancelled := func(code string) error {
			return &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String(code)}}}
		}
		broken := errors.New("broken")
		for name, c := range map[string]struct {
			answer    error
			landed    bool
			committed bool
			code      surgical.Code
			retryable bool
		}{
			"the answer got lost":  {broken, true, true, "", false},
			"it never arrived":     {broken, false, false, "", false},
			"a condition failed":   {cancelled("ConditionalCheckFailed"), false, false, surgical.CodeIngestFailed, true},
			"throttled":            {cancelled("ThrottlingError"), false, false, "", false},
			"it cannot be written": {cancelled("ValidationError"), false, false, surgical.CodeIngestFailed, false},
			"an invalid request":   {&smithy.GenericAPIError{Code: "ValidationException"}, false, false, surgical.CodeIngestFailed, false},
		} {
			m := inMemory(t)
			m.made("done", surgical.StatusSucceeded, 7)
			m.leave(source("done.1", "done", 7, 1, "a"))
			run := m.drain("drain", 7)
			failing[*dynamodb.TransactWriteItemsInput](m, c.landed, c.answer)
			after, err := m.Drain(m.Context(), run)
			if c.committed != (err == nil && after.Committed()) {
				t.Errorf("%s: committed %v, %v", name, after.Committed(), err)
			}
			if c.committed {
				continue
			}
			if !errors.Is(err, c.answer) || m.run("drain").Committed() {
				t.Errorf("%s: %v", name, err)
			}
			if c.code != "" && (surgical.CodeOf(err) != c.code || surgical.AsError(err).Retryable != c.retryable) {
				t.Errorf("%s: %#v", name, surgical.AsError(err))
			}
		}
	})
}

func TestDrain_ByAnAttemptThatLostItsRunWritesNothing(t *testing.T) {
	m := inMemory(t)
	m.made("done", surgical.StatusSucceeded, 7)
	m.leave(source("done.1", "done", 7, 1, "a"))
	run := m.drain("drain", 7)
	_, err := m.NextAttempt(m.Context(), run, time.Minute)
	m.must(err)
	if _, err := m.Drain(m.Context(), run); err == nil {
		t.Error("an attempt that lost its run drained")
	}
	if got := m.dirty(issue(7)); len(got) != 1 || !strings.HasPrefix(got[0], "done.1") {
		t.Errorf("left: %v", got)
	}
	jobs, err := m.Jobs(m.Context(), "drain")
	if m.must(err); len(jobs) > 0 {
		t.Errorf("jobs %v", jobs)
	}
}

func TestDrain_ReportsWhatItCouldNotRead(t *testing.T) {
	broken := errors.New("broken")
	for at := 1; ; at++ {
		m := inMemory(t)
		m.made("done", surgical.StatusSucceeded, 7)
		m.leave(source("done.1", "done", 7, 1, "a"))
		run := m.drain("drain", 7)
		calls := 0
		m.around = func(_ any, send func() (any, error)) (any, error) {
			if calls++; calls == at {
				return nil, broken
			}
			return send()
		}
		_, err := m.Drain(m.Context(), run)
		if calls < at {
			if err != nil || at < 4 {
				t.Errorf("%d calls, %v", calls, err)
			}
			return
		}
		if !errors.Is(err, broken) {
			t.Errorf("call %d failed, and the answer is %v", at, err)
		}
	}
}

func TestBacklog_YieldsWhatEndedRunsLeftBeforeTheTime(t *testing.T) {
	m := inMemory(t)
	m.made("done", surgical.StatusSucceeded, 7)
	m.made("running", surgical.StatusRunning, 7)
	at := func(d surgical.DirtySource, age time.Duration) surgical.DirtySource {
		d.CreatedAt = m.now.Add(-age)
		return d
	}
	for i := range 20 {
		m.leave(at(source(fmt.Sprintf("done.%02d", i), "done", int64(i+1), 1), time.Hour))
	}
	m.leave(
		at(source("done.98", "done", 7, 1), 15*time.Minute+time.Microsecond), at(source("done.99", "done", 7, 1), 15*time.Minute),
		at(source("running.1", "running", 7, 1), time.Hour), at(source("gone.1", "gone", 7, 1), time.Hour),
	)
	m.calls = nil
	var ids []string
	for d, err := range m.Backlog(m.Context(), m.now.Add(-15*time.Minute), surgical.DirtyKey{}) {
		m.must(err)
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("done.%02d", i))
	}
	if diff := cmp.Diff(append(want, "done.98", "gone.1"), ids); diff != "" {
		t.Errorf("the backlog (-want +got):\n%s", diff)
	}
	reads := 0
	for _, call := range m.calls {
		if _, ok := call.(*dynamodb.GetItemInput); ok {
			reads++
		}
	}
	if reads != 3 {
		t.Errorf("%d runs read, want each of 3 once", reads)
	}
	n := 0
	for range m.Backlog(m.Context(), m.now, surgical.DirtyKey{}) {
		if n++; n == 3 {
			break
		}
	}
}

// The row itself may be gone by then: it has been drained.
func TestBacklog_GoesOnAfterARow(t *testing.T) {
	m := inMemory(t)
	for i := range 20 {
		m.leave(source(fmt.Sprintf("gone.%02d", i), "gone", int64(i/2+1), 1))
	}
	all := m.backlog(surgical.DirtyKey{})
	for i, key := range all {
		if diff := cmp.Diff(all[i+1:], m.backlog(key)); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", key, diff)
		}
		_, err := m.db.Client().DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: &m.tables.DirtySources, Key: dynamo.Item{"entity": str(key.Ref.Key()), "dirty_id": str(key.ID)},
		})
		m.must(err)
		if diff := cmp.Diff(all[i+1:], m.backlog(key)); diff != "" {
			t.Errorf("after %v, which is gone (-want +got):\n%s", key, diff)
		}
	}
	if len(all) != 20 {
		t.Errorf("%d rows, want 20", len(all))
	}
}

// backlog lists the keys of the backlog after a row.
func (m *memory) backlog(after surgical.DirtyKey) []surgical.DirtyKey {
	m.Helper()
	keys := []surgical.DirtyKey{}
	for d, err := range m.Backlog(m.Context(), m.now.Add(time.Minute), after) {
		m.must(err)
		keys = append(keys, surgical.DirtyKey{Ref: d.Ref, ID: d.ID})
	}
	return keys
}

func TestBacklogScan_IsReadAsItWasStored(t *testing.T) {
	m := inMemory(t)
	now := m.now.Truncate(time.Microsecond)
	for _, want := range []surgical.BacklogScan{
		{},
		{After: surgical.DirtyKey{Ref: issue(7), ID: "a.1"}},
		{After: surgical.DirtyKey{Ref: issue(7), ID: "a.1"}, Refused: issue(9), FirstRefusedAt: now, RefusedAt: now.Add(time.Hour)},
		{After: surgical.DirtyKey{Ref: issue(7), ID: "a.1"}, Refused: issue(7), FirstRefusedAt: now, RefusedAt: now.Add(time.Hour)},
		{},
	} {
		m.must(m.SetBacklogScan(t.Context(), want))
		got, err := m.BacklogScan(t.Context())
		m.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestBacklog_ReportsWhatItCouldNotRead(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func(m *memory){
		"the scan": func(m *memory) { failing[*dynamodb.ScanInput](m, false, broken) },
		"a run":    func(m *memory) { failing[*dynamodb.GetItemInput](m, false, broken) },
	} {
		m := inMemory(t)
		m.leave(source("done.1", "done", 7, 1))
		fail(m)
		failures := 0
		for _, err := range m.Backlog(m.Context(), m.now, surgical.DirtyKey{}) {
			if errors.Is(err, broken) {
				failures++
			}
		}
		if failures != 1 {
			t.Errorf("%s failed, and that is reported %d times", name, failures)
		}
	}
	for _, odd := range []dynamo.Item{
		{"entity": str("nothing"), "dirty_id": str("x")},
		{"entity": str(issue(7).Key()), "dirty_id": str("x"), "revision": str("x")},
	} {
		m := inMemory(t)
		_, err := m.db.Client().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &m.tables.DirtySources, Item: odd})
		m.must(err)
		failed := false
		for _, err := range m.Backlog(m.Context(), m.now, surgical.DirtyKey{}) {
			failed = failed || err != nil
		}
		if _, err := m.DirtySources(m.Context(), issue(7)); !failed || odd["revision"] != nil && err == nil {
			t.Errorf("%v is read as a dirty source", odd)
		}
	}
}

func TestDrain_CountsTheRunsThatFailed(t *testing.T) {
	m := inMemory(t)
	m.made("failed", surgical.StatusFailed, 7)
	m.made("done", surgical.StatusSucceeded, 7)
	twice, never := source("failed.1", "failed", 7, 1, "a"), source("done.1", "done", 8, 1, "a")
	twice.Attempts = 2
	m.leave(twice, source("failed.2", "failed", 7, 1, "b"), never)
	_, err := m.Drain(m.Context(), m.drain("drain", 7, 8))
	m.must(err)
	for iid, want := range map[int64]int64{7: 3, 8: 0} {
		rows, err := m.DirtySources(m.Context(), issue(iid))
		if m.must(err); len(rows) != 1 || rows[0].Attempts != want {
			t.Errorf("%d: %+v, want %d attempts", iid, rows, want)
		}
	}
}

// A drain that waits for the embedder must not depend on how many runs without
// embeddings came since it worked.
func TestEmbeddedAt_IsTheLastTimeThatAJobEmbeddedSomething(t *testing.T) {
	m := inMemory(t)
	if at, err := m.EmbeddedAt(m.Context()); err != nil || !at.IsZero() {
		t.Errorf("before: %v, %v", at, err)
	}
	finish := func(id string, chunks int64) {
		job := m.claimJob(m.committed(id, 7), surgical.JobDocs, 7)
		m.must(m.finish(job, ledger.LeftToEmbed(jobFor(id, surgical.JobEmbed, issue(7)))))
		job = m.claimJob(m.run(id), surgical.JobEmbed, 7)
		job.ChunksEmbedded = chunks
		m.must(m.finish(job, ledger.Settled()))
	}
	var last time.Time
	for i := range 30 {
		finish(fmt.Sprintf("embeds%d", i), 1)
		last = m.now
		if at, err := m.EmbeddedAt(m.Context()); err != nil || !at.Equal(last) {
			t.Fatalf("after run %d: %v, want %v; %v", i, at, last, err)
		}
	}
	for i := range 30 {
		finish(fmt.Sprintf("none%d", i), 0)
	}
	if at, err := m.EmbeddedAt(m.Context()); err != nil || !at.Equal(last) {
		t.Errorf("after 30 runs that embedded nothing: %v, want %v; %v", at, last, err)
	}
	rows := map[string]bool{}
	for _, item := range m.db.Items(m.tables.State) {
		rows[fmt.Sprint(item["name"])] = true
	}
	if len(rows) < 2 || len(rows) > 8 {
		t.Errorf("the rows are %v", rows)
	}
	broken := errors.New("broken")
	failing[*dynamodb.BatchGetItemInput](m, false, broken)
	if _, err := m.EmbeddedAt(m.Context()); !errors.Is(err, broken) {
		t.Errorf("a time that was not read: %v", err)
	}
}
