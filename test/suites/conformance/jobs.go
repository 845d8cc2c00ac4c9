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

func jobKey(job surgical.Job) dynamo.Item {
	return dynamo.Item{"scope_run_id": str(job.RunID), "job_id": str(job.ID)}
}

func (e Engine) jobConditions(t *testing.T) {
	s := e.stores(t)
	ctx := t.Context()
	now := s.now.UnixMicro()
	for _, c := range []struct {
		name  string
		pokes []poke
		free  bool
	}{
		{"pending", nil, true},
		{"claimed, the lease is over", []poke{{"status", "claimed"}, {"lease_until", now - 1}}, true},
		{"claimed, the lease ends now", []poke{{"status", "claimed"}, {"lease_until", now}}, true},
		{"claimed, the lease lasts", []poke{{"status", "claimed"}, {"lease_until", now + 1}}, false},
		{"done", []poke{{"status", "done"}}, false},
		{"done long ago", []poke{{"status", "done"}, {"lease_until", now - 1}}, false},
		{"aborted", []poke{{"status", "aborted"}}, false},
	} {
		_, job := s.commit(s.claimed())
		s.poke(e.Tables.DependentQueue, jobKey(job), c.pokes...)
		claimed, err := s.ledger.ClaimJob(ctx, job, 1, time.Minute)
		if c.free != (err == nil) || err != nil && !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("claim of a job that is %s: %v", c.name, err)
		}
		if err == nil && (claimed.Attempts != 1 || !claimed.LeaseUntil.Equal(s.now.Add(time.Minute))) {
			t.Errorf("claim of a job that is %s: %+v", c.name, claimed)
		}
	}
	s.heldJobs()
	s.drains()
}

// heldJobs are released and finished only by their holder.
func (s *stores) heldJobs() {
	ctx := s.t.Context()
	next := func(job surgical.Job) *surgical.Job {
		job.ID, job.Type, job.Status = "embed#issue#1", surgical.JobEmbed, surgical.JobPending
		return &job
	}
	for _, c := range []struct {
		name   string
		run    []poke
		job    []poke
		handOn bool
		finish bool
	}{
		{"nothing", nil, nil, true, true},
		{"another claim", nil, []poke{{"attempts", 2}}, false, false},
		{"an abort", nil, []poke{{"status", "aborted"}}, false, false},
		{"it was released", nil, []poke{{"status", "pending"}}, false, false},
		{"its run ended", []poke{{"status", "failed"}}, nil, true, false},
	} {
		for _, way := range []string{"hand on", "finish", "finish with an embed job", "finish and settle"} {
			run, job := s.commit(s.claimed())
			claimed, err := s.ledger.ClaimJob(ctx, job, 1, time.Minute)
			s.must(err)
			s.poke(s.Tables.SyncRuns, runKey(run.RunID), c.run...)
			s.poke(s.Tables.DependentQueue, jobKey(job), c.job...)
			want := c.finish
			switch way {
			case "hand on":
				want = c.handOn
				_, err = s.ledger.HandOn(ctx, claimed)
			case "finish with an embed job":
				_, _, err = s.ledger.FinishJob(ctx, surgical.Run{}, claimed, ledger.LeftToEmbed(*next(job)))
			case "finish and settle":
				_, _, err = s.ledger.FinishJob(ctx, surgical.Run{}, claimed, ledger.Settled())
			default:
				_, _, err = s.ledger.FinishJob(ctx, surgical.Run{}, claimed, ledger.LeftDirty())
			}
			if want != (err == nil) || err != nil && !errors.Is(err, surgical.ErrMoved) {
				s.t.Errorf("%s, after %s: %v", way, c.name, err)
			}
			s.afterFinish(run.RunID, job, way, want)
		}
	}
}

// afterFinish checks the effects of finishing a job, or of failing to.
func (s *stores) afterFinish(runID string, job surgical.Job, way string, done bool) {
	s.t.Helper()
	dirty, err := s.ledger.DirtySources(s.t.Context(), job.Ref)
	s.must(err)
	jobs, err := s.ledger.Jobs(s.t.Context(), runID)
	s.must(err)
	wantJobs, wantInserted, wantDirty := 1, int64(1), 1
	if done && way == "finish with an embed job" {
		wantJobs, wantInserted = 2, 2
	}
	if done && way == "finish and settle" {
		wantDirty = 0
	}
	if inserted := s.run(runID).JobsInserted; len(jobs) != wantJobs || inserted != wantInserted || len(dirty) != wantDirty {
		s.t.Errorf("%s (done: %v): %d jobs, %d counted, %d dirty sources", way, done, len(jobs), inserted, len(dirty))
	}
}

// drains take over dirty sources by name, each once.
func (s *stores) drains() {
	ctx := s.t.Context()
	ended, job := s.commit(s.claimed())
	drain := func() surgical.Run {
		req := s.request()
		req.Origin, req.Targets = surgical.OriginDrain, ended.Targets
		run, err := s.ledger.Claim(ctx, surgical.Run{}, surgical.Claim{Request: req, Lease: time.Minute})
		s.must(err)
		return run
	}
	if run, err := s.ledger.Drain(ctx, drain()); err != nil || run.JobsInserted != 0 {
		s.t.Errorf("a drain took an open run's dirty source: %+v, error %v", run, err)
	}
	_, err := s.ledger.Close(ctx, ended, surgical.Failed{Error: surgical.NewError(surgical.CodeDocsFailed, "x")})
	s.must(err)
	run := drain()
	s.beforeWrite = func() {
		_, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.Tables.DirtySources, Key: dynamo.Item{"entity": str(job.Ref.Key()), "dirty_id": str(job.DirtyID)}})
		s.must(err)
	}
	if _, err := s.ledger.Drain(ctx, run); surgical.CodeOf(err) != surgical.CodeIngestFailed {
		s.t.Errorf("a drain took another drain's dirty source: %v", err)
	}
	if s.run(run.RunID).Committed() {
		s.t.Error("a refused drain is committed")
	}
}
