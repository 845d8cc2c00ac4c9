package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

// stores are the two planes on the engine, with a clock that moves only by
// hand, and a hook between a call's reads and its write.
type stores struct {
	Engine
	t       *testing.T
	now     time.Time
	ledger  *ledger.Ledger
	content *content.Store
	// beforeWrite runs once, before the next write of the stores.
	beforeWrite func()
	runs        int
}

func (e Engine) stores(t *testing.T) *stores {
	s := &stores{Engine: e, t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	db := cloud.Intercept(e.DB, func(_ context.Context, call cloud.Call, send func() error) error {
		if f := s.beforeWrite; f != nil && call.Writes() {
			s.beforeWrite = nil
			f()
		}
		return send()
	})
	clock := func() time.Time { return s.now }
	s.ledger, s.content = ledger.New(db, e.Tables, clock), content.NewStore(db, e.Tables.Content, clock)
	return s
}

// poke changes one attribute as another process's write would have. A nil value
// removes it.
type poke struct {
	attribute string
	value     any
}

func (s *stores) poke(table string, key dynamo.Item, pokes ...poke) {
	s.t.Helper()
	for _, p := range pokes {
		update := expression.Set(expression.Name(p.attribute), expression.Value(p.value))
		if p.value == nil {
			update = expression.Remove(expression.Name(p.attribute))
		}
		expr, err := expression.NewBuilder().WithUpdate(update).Build()
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.DB.UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
			TableName: &table, Key: key, UpdateExpression: expr.Update(),
			ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stores) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

// request returns a request for a new run.
func (s *stores) request() surgical.Request {
	s.runs++
	return surgical.Request{
		RunID: fmt.Sprintf("%s-%d", s.t.Name(), s.runs), ProjectID: 1, Targets: []surgical.Target{issue(int64(s.runs)).Target},
		Origin: surgical.OriginManual, EventAt: s.now,
	}
}

func (s *stores) queued() surgical.Run {
	s.t.Helper()
	run, err := s.ledger.Queue(s.t.Context(), s.request())
	s.must(err)
	return run
}

func (s *stores) claimed() surgical.Run {
	s.t.Helper()
	run, err := s.ledger.Claim(s.t.Context(), surgical.Run{}, surgical.Claim{Request: s.request(), MessageID: "m", Lease: time.Minute})
	s.must(err)
	return run
}

func (s *stores) released() surgical.Run {
	s.t.Helper()
	run := s.claimed()
	s.must(s.ledger.Release(s.t.Context(), run, surgical.NewError(surgical.CodeGitLabTimeout, "late"), 0))
	return s.run(run.RunID)
}

func (s *stores) closed(status surgical.RunStatus) func() surgical.Run {
	return func() surgical.Run {
		s.t.Helper()
		why := surgical.NewError(surgical.CodeIngestFailed, "x")
		ending := map[surgical.RunStatus]surgical.Ending{
			surgical.StatusSucceeded: surgical.Succeeded{}, surgical.StatusFailed: surgical.Failed{Error: why}, surgical.StatusCancelled: surgical.Cancelled{Error: why},
		}[status]
		run, err := s.ledger.Close(s.t.Context(), s.claimed(), ending)
		s.must(err)
		return run
	}
}

func (s *stores) run(id string) surgical.Run {
	s.t.Helper()
	run, err := s.ledger.Run(s.t.Context(), id)
	s.must(err)
	return run
}

func runKey(id string) dynamo.Item { return dynamo.Item{"run_id": str(id)} }

// commit marks the run as committed, and inserts a docs job for it.
func (s *stores) commit(run surgical.Run) (surgical.Run, surgical.Job) {
	s.t.Helper()
	job := surgical.Job{RunID: run.RunID, ID: "docs#issue#1", Type: surgical.JobDocs, Ref: run.Refs()[0], DirtyID: run.RunID + ".1", Status: surgical.JobPending}
	dirty := surgical.DirtySource{ID: job.DirtyID, Ref: job.Ref, RunID: run.RunID, CreatedAt: s.now}
	row, err := s.ledger.CommitRun(run, ledger.CommitMark{At: s.now, JobsInserted: 1})
	s.must(err)
	insert, err := s.ledger.InsertJob(job)
	s.must(err)
	source, err := s.ledger.InsertDirty(dirty)
	s.must(err)
	s.transactAll(row, insert, source)
	return s.run(run.RunID), job
}

func (s *stores) transactAll(items ...types.TransactWriteItem) {
	s.t.Helper()
	if refused, err := s.transact(s.t.Context(), items...); err != nil || refused != nil {
		s.t.Fatalf("refused %v, error %v", refused, err)
	}
}

// guarded is one conditional write of a run's row, which must fail after each
// poke in refuse and succeed after each in allow.
type guarded struct {
	name   string
	make   func() surgical.Run
	write  func(surgical.Run) error
	refuse []poke
	allow  []poke
}

func (s *stores) check(cases []guarded) {
	s.t.Helper()
	for _, c := range cases {
		try := func(p poke, want error) {
			s.t.Helper()
			run := c.make()
			if p.attribute != "" {
				s.poke(s.Tables.SyncRuns, runKey(run.RunID), p)
			}
			if err := c.write(run); !errors.Is(err, want) || want == nil && err != nil {
				s.t.Errorf("%s, after %v: %v, want %v", c.name, p, err, want)
			}
		}
		try(poke{}, nil)
		for _, p := range c.refuse {
			try(p, surgical.ErrMoved)
		}
		for _, p := range c.allow {
			try(p, nil)
		}
	}
}

// refusedAs turns a failed condition of the transaction's item into ErrMoved.
func (s *stores) refusedAs(items ...types.TransactWriteItem) error {
	refused, err := s.transact(s.t.Context(), items...)
	if refused != nil {
		return surgical.ErrMoved
	}
	return err
}

// remove deletes an item of the content table, as its TTL would.
func (s *stores) remove(key dynamo.Item) {
	s.t.Helper()
	_, err := s.DB.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{TableName: &s.Tables.Content, Key: key})
	s.must(err)
}
