package conformance

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func (e Engine) ledgerConditions(t *testing.T) {
	s := e.stores(t)
	ctx := t.Context()
	other := s.now.Add(time.Hour).UnixMicro()
	claim := func(run surgical.Run) error {
		_, err := s.ledger.Claim(ctx, run, surgical.Claim{Request: run.Request, MessageID: "again", Lease: time.Minute})
		return err
	}
	ended := []poke{{"status", "cancelled"}, {"status", "succeeded"}}
	held := []poke{{"status", "cancelled"}, {"status", "failed"}, {"attempt", 2}, {"committed_by", 1}}
	s.check([]guarded{
		{"claim of an expired lease", s.claimed, claim,
			append(ended, poke{"attempt", 2}, poke{"lease_until", other}, poke{"lease_until", nil}, poke{"committed_by", 1}), []poke{{"not_found", 2}}},
		{"claim of a released run", s.released, claim,
			append(ended, poke{"attempt", 2}, poke{"lease_until", other}, poke{"committed_by", 1}), nil},
		{"claim of a queued run", s.queued, claim,
			append(ended, poke{"status", "running"}, poke{"attempt", 1}, poke{"lease_until", other}, poke{"committed_by", 1}), nil},
		{"next attempt", s.claimed, func(run surgical.Run) error {
			_, err := s.ledger.NextAttempt(ctx, run, time.Minute)
			return err
		}, held, []poke{{"lease_until", other}}},
		{"enter ingest", s.claimed, func(run surgical.Run) error { _, err := s.ledger.EnterIngest(ctx, run, 5); return err }, held, nil},
		{"release", s.claimed, func(run surgical.Run) error {
			return s.ledger.Release(ctx, run, surgical.NewError(surgical.CodeGitLabNotFound, "x"), 0)
		}, held, nil},
		{"commit", s.claimed, func(run surgical.Run) error {
			row, err := s.ledger.CommitRun(run, ledger.CommitMark{At: s.now})
			s.must(err)
			return s.refusedAs(row)
		}, held, []poke{{"lease_until", other}}},
		{"workflow started", s.claimed, func(run surgical.Run) error { return s.ledger.WorkflowStarted(ctx, run, 2, true) },
			[]poke{{"status", "failed"}, {"generation", 3}}, []poke{{"generation", 1}, {"generation", 2}}},
		{"postpone", s.claimed, func(run surgical.Run) error {
			_, err := s.ledger.Postpone(ctx, run, 2, ledger.Setback{Error: surgical.StageError(run.RunID, surgical.StageDocs), ResumeAt: s.now})
			return err
		}, []poke{{"status", "failed"}, {"generation", 3}}, []poke{{"generation", 1}, {"generation", 2}}},
		{"enter stage", func() surgical.Run { run, _ := s.commit(s.claimed()); return run }, func(run surgical.Run) error {
			_, err := s.ledger.EnterStage(ctx, run.RunID, surgical.StageDocs, 2)
			return err
		}, []poke{{"status", "failed"}, {"generation", 3}, {"committed_by", nil}}, []poke{{"stage", "embed"}, {"generation", 1}, {"generation", 2}}},
		{"swept", s.closed(surgical.StatusFailed), func(run surgical.Run) error { return s.ledger.Swept(ctx, run) }, []poke{{"status", "running"}}, nil},
		{"sweep again", s.closed(surgical.StatusFailed), func(run surgical.Run) error { return s.ledger.SweepAgain(ctx, run.RunID) },
			[]poke{{"sweep", nil}}, nil},
		{"resend", s.queued, func(run surgical.Run) error { _, err := s.ledger.Resend(ctx, run.RunID, time.Minute); return err },
			[]poke{{"status", "running"}, {"status", "cancelled"}, {"resent_at", s.now.Add(-time.Minute).UnixMicro() + 1}},
			[]poke{{"resent_at", s.now.Add(-time.Minute).UnixMicro()}}},
		{"retry", s.closed(surgical.StatusFailed), func(run surgical.Run) error {
			req := run.Request
			req.RunID = "retry-of-" + run.RunID
			_, err := s.ledger.Retry(ctx, run, req, "")
			return err
		}, []poke{{"status", "running"}, {"status", "succeeded"}, {"retried_by", "another"}}, []poke{{"status", "cancelled"}}},
	})
	s.insertions()
	s.closings()
	s.lists()
}

// insertions refuse to replace existing rows.
func (s *stores) insertions() {
	ctx := s.t.Context()
	run := s.queued()
	if _, err := s.ledger.Queue(ctx, run.Request); !errors.Is(err, surgical.ErrMoved) {
		s.t.Errorf("a run was queued twice: %v", err)
	}
	if _, err := s.ledger.Claim(ctx, surgical.Run{}, surgical.Claim{Request: run.Request, Lease: time.Minute}); !errors.Is(err, surgical.ErrMoved) {
		s.t.Errorf("a claim replaced a row that it had not read: %v", err)
	}
	_, job := s.commit(s.claimed())
	insert, err := s.ledger.InsertJob(job)
	s.must(err)
	if err := s.refusedAs(insert); !errors.Is(err, surgical.ErrMoved) {
		s.t.Errorf("a job was inserted twice: %v", err)
	}
	dirty, err := s.ledger.InsertDirty(surgical.DirtySource{ID: job.DirtyID, Ref: job.Ref, RunID: job.RunID})
	s.must(err)
	if err := s.refusedAs(dirty); !errors.Is(err, surgical.ErrMoved) {
		s.t.Errorf("a dirty source was inserted twice: %v", err)
	}
	for _, c := range []struct{ set, want time.Duration }{{time.Minute, time.Minute}, {30 * time.Second, time.Minute}, {2 * time.Minute, 2 * time.Minute}} {
		s.must(s.ledger.SetPause(ctx, s.now.Add(c.set), surgical.CodeGitLabRateLimited))
		if until, err := s.ledger.Pause(ctx); err != nil || !until.Equal(s.now.Add(c.want)) {
			s.t.Errorf("after a pause of %v: until %v, error %v", c.set, until, err)
		}
	}
}

// closings encounter what happened between their read and their write.
func (s *stores) closings() {
	ctx := s.t.Context()
	why := surgical.NewError(surgical.CodeIngestFailed, "x")
	for _, c := range []struct {
		name    string
		attempt int64
		poke    poke
		moved   bool
		status  surgical.RunStatus
	}{
		{"nothing", 1, poke{"not_found", 1}, false, surgical.StatusFailed},
		{"its commit", 1, poke{"committed_by", 1}, true, surgical.StatusRunning},
		{"another attempt", 1, poke{"attempt", 2}, true, surgical.StatusRunning},
		{"a cancellation", 1, poke{"status", "cancelled"}, false, surgical.StatusCancelled},
		{"another attempt, of no attempt's closing", 0, poke{"attempt", 2}, false, surgical.StatusFailed},
	} {
		run := s.claimed()
		s.beforeWrite = func() { s.poke(s.Tables.SyncRuns, runKey(run.RunID), c.poke) }
		var ending surgical.Ending = surgical.Failed{Error: why}
		if c.attempt != 0 {
			ending = surgical.GivenUp{Error: why, Attempt: c.attempt}
		}
		_, err := s.ledger.Close(ctx, run, ending)
		if errors.Is(err, surgical.ErrMoved) != c.moved || !c.moved && err != nil {
			s.t.Errorf("closing, after %s: %v", c.name, err)
		}
		if got := s.run(run.RunID).Status; got != c.status {
			s.t.Errorf("closing, after %s: the run is %s, want %s", c.name, got, c.status)
		}
	}
	s.closingWithCommit()
	s.closingWithJobs()
}

// A commit during the cancellation of a run decides its entity rows.
func (s *stores) closingWithCommit() {
	run := s.claimed()
	target := run.Targets[0]
	s.beforeWrite = func() {
		row, err := s.ledger.CommitRun(run, ledger.CommitMark{At: s.now, Outcomes: map[surgical.Target]surgical.Outcome{target: {Status: surgical.EntityOK, Revision: 1}}})
		s.must(err)
		s.transactAll(row)
	}
	_, err := s.ledger.Close(s.t.Context(), run, surgical.Cancelled{Error: surgical.NewError(surgical.CodeRunCancelled, "x")})
	s.must(err)
	rows, err := s.ledger.Entities(s.t.Context(), run.RunID)
	if err != nil || len(rows) != 1 || rows[0].Status != surgical.EntityOK {
		s.t.Errorf("entity rows %+v, error %v", rows, err)
	}
}

// A job that is inserted, or done, after the jobs were listed is seen.
func (s *stores) closingWithJobs() {
	ctx := s.t.Context()
	fail := surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")}
	run, job := s.commit(s.claimed())
	claimed, err := s.ledger.ClaimJob(ctx, job, 1, time.Minute)
	s.must(err)
	next := job
	next.ID, next.Type = "embed#issue#1", surgical.JobEmbed
	s.beforeWrite = func() {
		_, _, err := s.ledger.FinishJob(ctx, surgical.Run{}, claimed, ledger.LeftToEmbed(next))
		s.must(err)
	}
	_, err = s.ledger.Close(ctx, run, fail)
	s.must(err)
	jobs, err := s.ledger.Jobs(ctx, run.RunID)
	s.must(err)
	for i, want := range []surgical.JobStatus{surgical.JobDone, surgical.JobAborted} {
		if len(jobs) != 2 || jobs[i].Status != want {
			s.t.Errorf("job %d: %+v, want it %s", i, jobs, want)
		}
	}
	// A listing that misses only the new job must not close the run either.
	run = s.claimed()
	s.beforeWrite = func() { s.commit(run) }
	_, err = s.ledger.Close(ctx, run, fail)
	s.must(err)
	if jobs, err := s.ledger.Jobs(ctx, run.RunID); err != nil || len(jobs) != 1 || jobs[0].Status != surgical.JobAborted {
		s.t.Errorf("the job of a commit between listing and closing: %+v, error %v", jobs, err)
	}
	// Nor must a listing that misses a job while the listed ones are unchanged.
	run, job = s.commit(s.claimed())
	s.beforeWrite = func() {
		row, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Tables.DependentQueue, Key: jobKey(job)})
		s.must(err)
		row.Item["job_id"] = str("docs#issue#2")
		_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.Tables.DependentQueue, Item: row.Item})
		s.must(err)
		s.poke(s.Tables.SyncRuns, dynamo.Item{"run_id": str(run.RunID)}, poke{"jobs_inserted", 2})
	}
	_, err = s.ledger.Close(ctx, run, fail)
	s.must(err)
	jobs, err = s.ledger.Jobs(ctx, run.RunID)
	s.must(err)
	for _, got := range jobs {
		if len(jobs) != 2 || got.Status != surgical.JobAborted {
			s.t.Errorf("one of %d jobs: %+v", len(jobs), got)
		}
	}
	// A job done between listing and closing stays done.
	run, job = s.commit(s.claimed())
	key := jobKey(job)
	s.beforeWrite = func() { s.poke(s.Tables.DependentQueue, key, poke{"status", "done"}) }
	_, err = s.ledger.Close(ctx, run, fail)
	s.must(err)
	if jobs, err := s.ledger.Jobs(ctx, run.RunID); err != nil || jobs[0].Status != surgical.JobDone {
		s.t.Errorf("a job done between listing and closing: %+v, error %v", jobs, err)
	}
}

// lists include their bounds.
func (s *stores) lists() {
	ctx := s.t.Context()
	has := func(list func(yield func(string, error) bool), id string) bool {
		for got, err := range list {
			s.must(err)
			if got == id {
				return true
			}
		}
		return false
	}
	run := s.queued()
	for offset, want := range map[time.Duration]bool{0: true, -time.Microsecond: false} {
		if got := has(s.ledger.OpenRuns(ctx, surgical.StatusQueued, s.now.Add(offset)), run.RunID); got != want {
			s.t.Errorf("open runs made before now%+v: listed %v", offset, got)
		}
	}
	if has(s.ledger.OpenRuns(ctx, surgical.StatusRunning, s.now), run.RunID) {
		s.t.Error("a queued run is listed as running")
	}
	swept := s.closed(surgical.StatusFailed)()
	if has(s.ledger.RunsToSweep(ctx), swept.RunID) {
		s.t.Error("a run is swept immediately")
	}
	before := s.now
	s.now = s.now.Add(15 * time.Minute)
	if !has(s.ledger.RunsToSweep(ctx), swept.RunID) {
		s.t.Error("a run is not swept when it is due")
	}
	s.now = before
}
