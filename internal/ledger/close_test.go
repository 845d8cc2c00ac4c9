package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestClose_EndsARunAsItsEndingSays(t *testing.T) {
	previews := map[surgical.Target]surgical.Preview{issue(7).Target: {UpdatedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Bytes: 900, Discussions: 3, Events: 2}}
	for name, c := range map[string]struct {
		run    func(m *memory) surgical.Run
		ending surgical.Ending
		want   string // status, stage, code, covering run, requests, swept
	}{
		"success":                      {func(m *memory) surgical.Run { return m.finished("r", 7) }, surgical.Succeeded{Clean: true}, "succeeded done   5 false"},
		"success that left orphans":    {func(m *memory) surgical.Run { return m.finished("r", 7) }, surgical.Succeeded{}, "succeeded done   5 true"},
		"covered by another fetch":     {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.Coalesced{Attempt: 1, With: "other"}, "succeeded done  other 0 false"},
		"a preview":                    {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.Previewed{Attempt: 1, Previews: previews, Requests: 4}, "succeeded done   4 false"},
		"given up in preflight":        {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.GivenUp{Attempt: 1, Error: errBroken, Previews: previews, Requests: 3}, "failed preflight ingest_failed  3 false"},
		"given up in ingest":           {func(m *memory) surgical.Run { return m.ingesting("r", 7) }, surgical.GivenUp{Attempt: 1, Error: errBroken, Requests: 1}, "failed ingest ingest_failed  6 true"},
		"lost, even before its ingest": {func(m *memory) surgical.Run { return m.claimed("r", 7) }, surgical.Lost{Attempt: 1, Error: errBroken}, "failed preflight ingest_failed  0 true"},
		"failed in docs":               {func(m *memory) surgical.Run { return m.committed("r", 7) }, surgical.Failed{Error: errBroken}, "failed docs ingest_failed  5 true"},
		"cancelled in docs":            {func(m *memory) surgical.Run { return m.committed("r", 7) }, surgical.Cancelled{Error: errBroken}, "cancelled docs ingest_failed  5 true"},
		"cancelled while it is queued": {func(m *memory) surgical.Run { m.made("r", surgical.StatusQueued, 7); return m.run("r") }, surgical.Cancelled{Error: errBroken}, "cancelled  ingest_failed  0 false"},
	} {
		m := inMemory(t)
		run := c.run(m)
		m.now = m.now.Add(time.Minute)
		closed, err := m.Close(m.Context(), run, c.ending)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		code := ""
		if closed.Error != nil {
			code = string(closed.Error.Code)
		}
		if got := fmt.Sprintf("%s %s %s %s %d %v", closed.Status, closed.Stage, code, closed.CoalescedWith, closed.Counters.GitLabRequests, closed.SweepPending); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if !closed.FinishedAt.Equal(m.now) || !closed.LeaseUntil.IsZero() {
			t.Errorf("%s: ended at %v, leased until %v", name, closed.FinishedAt, closed.LeaseUntil)
		}
		// What is returned is what is stored, and it expires.
		if diff := cmp.Diff(m.run("r"), closed, errorsByText); diff != "" {
			t.Errorf("%s (-stored +returned):\n%s", name, diff)
		}
		expires, _ := m.row("r")["expires_at"].(*types.AttributeValueMemberN)
		if expires == nil || expires.Value != fmt.Sprint(m.now.Add(90*24*time.Hour).Unix()) {
			t.Errorf("%s: the row expires at %v", name, expires)
		}
		if rows := m.entities("r"); len(rows) != 1 {
			t.Errorf("%s: entity rows %v", name, rows)
		}
	}
}

// The first ending stands, whatever is requested later.
func TestClose_ChangesNoTerminalRun(t *testing.T) {
	for _, status := range []surgical.RunStatus{surgical.StatusSucceeded, surgical.StatusFailed, surgical.StatusCancelled} {
		for _, ending := range []surgical.Ending{
			surgical.Succeeded{}, surgical.Coalesced{Attempt: 1, With: "x"}, surgical.Previewed{Attempt: 1}, surgical.GivenUp{Attempt: 1, Error: errBroken},
			surgical.Lost{Attempt: 1, Error: errBroken}, surgical.Failed{Error: errBroken}, surgical.Cancelled{Error: errBroken},
		} {
			m := inMemory(t)
			before := m.claimed("r", 7)
			m.made("other", status, 8)
			closed, err := m.Close(m.Context(), before, map[surgical.RunStatus]surgical.Ending{
				surgical.StatusSucceeded: surgical.Coalesced{Attempt: 1, With: "other"}, surgical.StatusFailed: surgical.Failed{Error: errBroken}, surgical.StatusCancelled: surgical.Cancelled{Error: errBroken},
			}[status])
			m.must(err)
			row := m.row("r")
			// Seen as it was before, and as it is.
			for _, seen := range []surgical.Run{before, closed} {
				m.now = m.now.Add(time.Second)
				again, err := m.Close(m.Context(), seen, ending)
				if err != nil || again.Status != status || !reflect.DeepEqual(m.row("r"), row) {
					t.Errorf("%T of a run that is %s: %s, %v", ending, status, again.Status, err)
				}
			}
		}
	}
}

// A run that another attempt took over, or that was committed, is not the
// attempt's to close, whether its caller knows it or not.
func TestClose_OfAnAttemptThatLostItsRunIsRefused(t *testing.T) {
	for name, move := range map[string]func(m *memory, run surgical.Run){
		"taken over": func(m *memory, run surgical.Run) {
			_, err := m.NextAttempt(m.Context(), run, time.Minute)
			m.must(err)
		},
		"committed": func(m *memory, run surgical.Run) {
			row, err := m.CommitRun(run, ledger.CommitMark{At: m.now})
			m.must(err)
			m.must(dynamo.Transact(m.Context(), m.db.Client(), []types.TransactWriteItem{row}))
		},
	} {
		for _, ending := range []surgical.Ending{
			surgical.Coalesced{Attempt: 1, With: "x"}, surgical.Previewed{Attempt: 1}, surgical.GivenUp{Attempt: 1, Error: errBroken}, surgical.Lost{Attempt: 1, Error: errBroken},
		} {
			m := inMemory(t)
			before := m.claimed("r", 7)
			move(m, before)
			for _, seen := range []surgical.Run{before, m.run("r")} {
				got, err := m.Close(m.Context(), seen, ending)
				if !errors.Is(err, surgical.ErrMoved) || !cmp.Equal(got, m.run("r"), errorsByText) {
					t.Errorf("%s, %T: %v, %+v", name, ending, err, got)
				}
			}
			if rows := m.entities("r"); len(rows) > 0 || m.run("r").Status != surgical.StatusRunning {
				t.Errorf("%s, %T: the run is %s, with entity rows %v", name, ending, m.run("r").Status, rows)
			}
		}
	}
}

func TestClose_SucceedsOnlyOnceEveryJobHasEnded(t *testing.T) {
	m := inMemory(t)
	run := m.committed("r", 7, 8)
	m.must(m.finish(m.claimJob(run, surgical.JobDocs, 7), ledger.Settled()))
	if got, err := m.Close(m.Context(), m.run("r"), surgical.Succeeded{}); !errors.Is(err, surgical.ErrOpenJobs) || got.Status != surgical.StatusRunning {
		t.Errorf("with a pending job: %s, %v", got.Status, err)
	}
	m.must(m.finish(m.claimJob(run, surgical.JobDocs, 8), ledger.Settled()))
	got, err := m.Close(m.Context(), m.run("r"), surgical.Succeeded{})
	m.must(err)
	if got.Status != surgical.StatusSucceeded || got.Error != nil {
		t.Errorf("with all jobs done: %s, %v", got.Status, got.Error)
	}
}

// Whichever caller closes the run, its error and its entity rows name the targets whose
// documents or embeddings were left undone, each with its own reason.
func TestClose_NamesWhatDocsAndEmbedLeftUndone(t *testing.T) {
	unreadable := surgical.NewError(surgical.CodeDocsFailed, "unreadable")
	unreadable.Action, unreadable.Retryable = surgical.ActionContactOperator, false
	refused := surgical.NewError(surgical.CodeEmbedFailed, "refused")
	refused.Action, refused.Retryable = surgical.ActionContactOperator, false
	slow := surgical.NewError(surgical.CodeDocsFailed, "slow")
	docsLost, embedLost := surgical.StageError("r", surgical.StageDocs), surgical.StageError("r", surgical.StageEmbed)
	cancelled := surgical.NewError(surgical.CodeRunCancelled, "cancelled")
	failure := func(iid int64, e *surgical.Error) surgical.TargetFailure {
		return surgical.TargetFailure{Target: issue(iid).Target, Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable}
	}
	fail := func(m *memory, job surgical.Job, why *surgical.Error) {
		job.Error = why
		m.must(m.FailJob(m.Context(), job))
	}
	docs := func(m *memory, iid int64) surgical.Job { return m.claimJob(m.run("r"), surgical.JobDocs, iid) }
	// Of 7, 8 and 9, the first is done.
	embedded := func(m *memory, iid int64) surgical.Job {
		job := docs(m, iid)
		m.must(m.finish(job, ledger.LeftToEmbed(surgical.Job{
			RunID: "r", ID: ledger.JobID(surgical.JobEmbed, job.Ref.Target), Type: surgical.JobEmbed, Ref: job.Ref, DirtyID: job.DirtyID, Status: surgical.JobPending,
		})))
		return m.claimJob(m.run("r"), surgical.JobEmbed, iid)
	}
	type want struct {
		Status surgical.RunStatus
		Stage  surgical.Stage
		Error  *surgical.Error
		Rows   []string
	}
	failed := func(e *surgical.Error, action surgical.Action, retryable bool, failures ...surgical.TargetFailure) *surgical.Error {
		return &surgical.Error{Code: e.Code, Message: e.Message, Action: action, Retryable: retryable, RunID: "r", Total: 3, Failures: failures}
	}
	for name, c := range map[string]struct {
		given  func(m *memory)
		ending surgical.Ending
		want   want
	}{
		"one target can never be rendered": {func(m *memory) {
			m.must(m.finish(docs(m, 8), ledger.Settled()))
			fail(m, docs(m, 9), unreadable)
		}, surgical.Succeeded{}, want{surgical.StatusFailed, surgical.StageDocs, failed(docsLost, surgical.ActionContactOperator, false, failure(9, unreadable)),
			[]string{"issue#7 docs ok  ", "issue#8 docs ok  ", "issue#9 docs failed docs_failed unreadable"}}},
		"one was not rendered, one not embedded": {func(m *memory) {
			fail(m, docs(m, 8), unreadable)
			fail(m, embedded(m, 9), refused)
		}, surgical.Succeeded{}, want{surgical.StatusFailed, surgical.StageDocs, failed(docsLost, surgical.ActionContactOperator, false, failure(8, unreadable), failure(9, refused)),
			[]string{"issue#7 docs ok  ", "issue#8 docs failed docs_failed unreadable", "issue#9 embed failed embed_failed refused"}}},
		"the workflow failed over one of them": {func(m *memory) {
			job := docs(m, 8)
			job.Error = slow
			_, err := m.HandOn(m.Context(), job)
			m.must(err)
			fail(m, docs(m, 9), unreadable)
		}, surgical.Failed{Error: docsLost}, want{surgical.StatusFailed, surgical.StageDocs, failed(docsLost, surgical.ActionRetryFailed, true, failure(8, slow), failure(9, unreadable)),
			[]string{"issue#7 docs ok  ", "issue#8 docs failed docs_failed slow", "issue#9 docs failed docs_failed unreadable"}}},
		"the workflow was lost": {func(m *memory) { embedded(m, 8) }, surgical.Failed{Error: embedLost},
			want{surgical.StatusFailed, surgical.StageDocs, failed(embedLost, surgical.ActionRetryFailed, true, failure(8, embedLost), failure(9, docsLost)),
				[]string{"issue#7 docs ok  ", "issue#8 embed failed embed_failed " + embedLost.Message, "issue#9 docs failed docs_failed " + docsLost.Message}}},
		"cancelled": {func(m *memory) { embedded(m, 8) }, surgical.Cancelled{Error: cancelled},
			want{surgical.StatusCancelled, surgical.StageDocs, &surgical.Error{Code: cancelled.Code, Message: cancelled.Message, Action: cancelled.Action, Retryable: true, RunID: "r"},
				[]string{"issue#7 docs ok  ", "issue#8 embed failed run_cancelled cancelled", "issue#9 docs failed run_cancelled cancelled"}}},
	} {
		m := inMemory(t)
		m.committed("r", 7, 8, 9)
		m.must(m.finish(docs(m, 7), ledger.Settled()))
		c.given(m)
		closed, err := m.Close(m.Context(), m.run("r"), c.ending)
		m.must(err)
		if diff := cmp.Diff(c.want, want{closed.Status, closed.Stage, closed.Error, m.entities("r")}, cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(m.run("r"), closed, cmpopts.IgnoreUnexported(surgical.Error{})); diff != "" {
			t.Errorf("%s (-stored +returned):\n%s", name, diff)
		}
	}
}

func TestClose_AbortsEveryOpenJobAndNoOther(t *testing.T) {
	for _, ending := range []surgical.Ending{surgical.Failed{Error: errBroken}, surgical.Cancelled{Error: surgical.NewError(surgical.CodeRunCancelled, "x")}} {
		m := inMemory(t)
		run := m.committed("r", 1, 2, 3, 4)
		m.must(m.finish(m.claimJob(run, surgical.JobDocs, 1), ledger.LeftToEmbed(jobFor("r", surgical.JobEmbed, issue(1)))))
		m.must(m.FailJob(m.Context(), m.claimJob(run, surgical.JobDocs, 2)))
		m.claimJob(run, surgical.JobDocs, 3)
		closed, err := m.Close(m.Context(), m.run("r"), ending)
		m.must(err)
		reason := string(closed.Error.Code)
		want := []string{"docs#issue#1 done ", "docs#issue#2 failed ", "docs#issue#3 aborted " + reason, "docs#issue#4 aborted " + reason, "embed#issue#1 aborted " + reason}
		if diff := cmp.Diff(want, m.jobs("r")); diff != "" || closed.Counters.JobsAborted != 3 {
			t.Errorf("%T: %d aborted (-want +got):\n%s", ending, closed.Counters.JobsAborted, diff)
		}
		// An aborted job has no holder, and expires with its run.
		if _, err := m.ClaimJob(m.Context(), jobFor("r", surgical.JobDocs, issue(4)), 1, time.Minute); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("%T: an aborted job was claimed: %v", ending, err)
		}
		for _, item := range m.db.Items(m.tables.DependentQueue) {
			if item["expires_at"] == nil || item["lease_until"] != nil {
				t.Errorf("%T: %v", ending, item)
			}
		}
	}
}

// No job slips in between the list of jobs and the transaction.
func TestClose_AbortsAJobThatCameInTheMeantime(t *testing.T) {
	m := inMemory(t)
	run := m.committed("r", 7, 8)
	job := m.claimJob(run, surgical.JobDocs, 7)
	meanwhile := true
	m.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.TransactWriteItemsInput); ok && meanwhile {
			meanwhile = false
			m.must(m.finish(job, ledger.LeftToEmbed(jobFor("r", surgical.JobEmbed, issue(7)))))
		}
		return send()
	}
	closed, err := m.Close(m.Context(), m.run("r"), surgical.Failed{Error: errBroken})
	m.must(err)
	want := []string{"docs#issue#7 done ", "docs#issue#8 aborted ingest_failed", "embed#issue#7 aborted ingest_failed"}
	if diff := cmp.Diff(want, m.jobs("r")); diff != "" || closed.JobsInserted != 3 {
		t.Errorf("%d jobs inserted (-want +got):\n%s", closed.JobsInserted, diff)
	}
}

func TestClose_GivesUpOnARunThatKeepsMoving(t *testing.T) {
	m := inMemory(t)
	run := m.claimed("r", 7)
	refused := &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("ConditionalCheckFailed")}}}
	failing[*dynamodb.TransactWriteItemsInput](m, false, refused)
	_, err := m.Close(m.Context(), run, surgical.Failed{Error: errBroken})
	tries := 0
	for _, call := range m.calls {
		if _, ok := call.(*dynamodb.TransactWriteItemsInput); ok {
			tries++
		}
	}
	// At most two jobs per target are inserted and end in the meantime.
	if !errors.Is(err, surgical.ErrMoved) || tries != 2*surgical.MaxTargets+2 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

// Waiting is not failing: a transaction that is throttled or unanswered says
// so, and the run stays as it was.
func TestClose_ReportsWhatItCouldNotReadOrWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // throttled writes wait before they are sent again
		throttled := &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("None")}, {Code: aws.String("ThrottlingError")}}}
		broken := errors.New("broken")
		for name, fail := range map[string]func(m *memory) error{
			"throttled": func(m *memory) error {
				failing[*dynamodb.TransactWriteItemsInput](m, false, throttled)
				return throttled
			},
			"the transaction":     func(m *memory) error { failing[*dynamodb.TransactWriteItemsInput](m, false, broken); return broken },
			"the list of jobs":    func(m *memory) error { failing[*dynamodb.QueryInput](m, false, broken); return broken },
			"the row, once moved": func(m *memory) error { failing[*dynamodb.GetItemInput](m, false, broken); return broken },
		} {
			m := inMemory(t)
			run := m.committed("r", 7)
			if name == "the row, once moved" {
				run.JobsInserted++
			}
			want := fail(m)
			if _, err := m.Close(m.Context(), run, surgical.Failed{Error: errBroken}); !errors.Is(err, want) || errors.Is(err, surgical.ErrMoved) {
				t.Errorf("%s: %v", name, err)
			}
			m.around = nil
			if jobs := m.jobs("r"); m.run("r").Status != surgical.StatusRunning || !slices.Equal(jobs, []string{"docs#issue#7 pending "}) {
				t.Errorf("%s: the run is %s, its jobs %v", name, m.run("r").Status, jobs)
			}
		}
	})
}

// What a commit decided stands, unless a later stage left the target undone; of
// the others, each reports why it failed itself, or that a peer stopped it.
func TestClose_LeavesARowForEachTarget(t *testing.T) {
	preflight := surgical.NewError(surgical.CodePreflightFailed, "not every target")
	preflight.Total = 3
	undone := surgical.StageError("", surgical.StageDocs).Message
	preflight.Failures = []surgical.TargetFailure{{Target: issue(8).Target, Code: surgical.CodeGitLabNotFound, Message: "gone", Action: surgical.ActionVerifyIID}}
	for name, c := range map[string]struct {
		run    func(m *memory) surgical.Run
		ending surgical.Ending
		want   []string
	}{
		"one target stopped the others": {func(m *memory) surgical.Run { return m.claimed("r", 7, 8) }, surgical.GivenUp{Attempt: 1, Error: preflight},
			[]string{"issue#7 preflight failed aborted_by_peer another target of the run failed", "issue#8 preflight failed gitlab_not_found gone"}},
		"the run itself failed": {func(m *memory) surgical.Run { return m.claimed("r", 7, 8) }, surgical.Lost{Attempt: 1, Error: errBroken},
			[]string{"issue#7 preflight failed ingest_failed broken", "issue#8 preflight failed ingest_failed broken"}},
		"nothing was to be done": {func(m *memory) surgical.Run { return m.claimed("r", 7, 8) }, surgical.Coalesced{Attempt: 1, With: "x"},
			[]string{"issue#7 preflight ok  ", "issue#8 preflight ok  "}},
		"its docs failed": {func(m *memory) surgical.Run { return m.committed("r", 7, 8) }, surgical.Failed{Error: errBroken},
			[]string{"issue#7 docs failed docs_failed " + undone, "issue#8 docs failed docs_failed " + undone}},
		"one target was overtaken": {func(m *memory) surgical.Run {
			run := m.ingesting("r", 7, 8)
			row, err := m.CommitRun(run, ledger.CommitMark{At: m.now, Outcomes: map[surgical.Target]surgical.Outcome{
				issue(7).Target: {Status: surgical.EntitySkippedStale, Revision: 4}, issue(8).Target: {Status: surgical.EntityOK, Revision: 1, Changed: true},
			}})
			m.must(err)
			m.must(dynamo.Transact(m.Context(), m.db.Client(), []types.TransactWriteItem{row}))
			return m.run("r")
		}, surgical.Succeeded{}, []string{"issue#7 ingest skipped_stale  ", "issue#8 ingest ok  "}},
	} {
		m := inMemory(t)
		run := c.run(m)
		closed, err := m.Close(m.Context(), run, c.ending)
		m.must(err)
		if diff := cmp.Diff(c.want, m.entities("r")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(m.run("r"), closed, errorsByText); diff != "" {
			t.Errorf("%s (-stored +returned):\n%s", name, diff)
		}
	}
}

// A run is counted once, however often it is closed.
func TestClose_CountsARunOnce(t *testing.T) {
	m := inMemory(t)
	var out bytes.Buffer
	metered := m.Metered(metrics.New(&out, "lorehook", func() time.Time { return m.now }))
	run := m.claimed("r", 7)
	for range 3 {
		_, err := metered.Close(m.Context(), run, surgical.Failed{Error: errBroken})
		m.must(err)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}
