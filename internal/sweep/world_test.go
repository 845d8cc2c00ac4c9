package sweep_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// epoch is when the runs of these tests begin. The clock stands still, so that a
// limit can be met to the microsecond.
var epoch = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)

const tick = time.Microsecond

// world is the ledger and the content store on the in-memory DynamoDB, with a
// sweeper over them.
type world struct {
	*testing.T
	now      time.Time
	db       *dynamodb.Client
	tables   config.Tables
	ledger   *ledger.Ledger
	launched []workflow.Input
	requests outbox
	bulk     outbox
	sweeper  *sweep.Sweeper

	// forbidden is a project that is not on the allow list.
	forbidden int64
	// fails decides which calls to DynamoDB fail, by operation; startFails does
	// for Step Functions.
	fails      func(operation string) bool
	startFails error
}

var errDown = errors.New("the service is down")

// outbox is a queue that keeps what was sent.
type outbox struct {
	sent []surgical.Request
	err  error
}

func (o *outbox) Send(_ context.Context, req surgical.Request) error {
	if o.err == nil {
		o.sent = append(o.sent, req)
	}
	return o.err
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: epoch, fails: func(string) bool { return false }}
	db, tables := fakedynamodb.New()
	w.tables = tables
	fail := middleware.InitializeMiddlewareFunc("fail", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		if w.fails(middleware.GetOperationName(ctx)) {
			return middleware.InitializeOutput{}, middleware.Metadata{}, errDown
		}
		return next.HandleInitialize(ctx, in)
	})
	w.db = dynamodb.New(db.Client().Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(slices.Clone(o.APIOptions), func(stack *middleware.Stack) error { return stack.Initialize.Add(fail, middleware.Before) })
	})
	clock := func() time.Time { return w.now }
	w.ledger = ledger.New(w.db, tables, clock)
	states := stepfunctions.Client(func(in json.RawMessage) error {
		if w.startFails != nil {
			return w.startFails
		}
		var input workflow.Input
		err := json.Unmarshal(in, &input)
		w.launched = append(w.launched, input)
		return err
	})
	w.sweeper = &sweep.Sweeper{
		Ledger: w.ledger, Content: content.NewStore(w.db, tables.Content, clock),
		Launcher: &workflow.Launcher{Starter: &workflow.Starter{Client: states, StateMachineARN: "arn"}, Ledger: w.ledger},
		Setbacks: &workflow.Setbacks{Ledger: w.ledger, Clock: clock},
		Eraser:   erasure.New(w.db, w.tables.Content, w.ledger, clock),
		Requests: &w.requests, Bulk: &w.bulk, Clock: clock,
		Allows: func(projectID int64) bool { return projectID != w.forbidden }, Log: slog.New(slog.DiscardHandler),
	}
	return w
}

// sweepAt lets the sweeper run once at a time after the epoch.
func (w *world) sweepAt(after time.Duration) (sweep.Report, error) {
	w.now = epoch.Add(after)
	return w.sweeper.Handle(w.Context())
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func issue(project, iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

func request(id string) surgical.Request {
	return surgical.Request{
		RunID: id, ProjectID: 1, Targets: []surgical.Target{issue(1, 7).Target}, Origin: surgical.OriginWebhook,
		IdempotencyKey: "key of " + id, EventAt: epoch, TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

// claimed is a run that a worker has claimed now.
func (w *world) claimed(req surgical.Request) surgical.Run {
	w.Helper()
	run, err := w.ledger.Claim(w.Context(), surgical.Run{Request: req}, surgical.Claim{Request: req, MessageID: "message", Lease: 130 * time.Second})
	w.must(err)
	return run
}

// committed is a run that has just been committed with a docs job and its dirty
// source for each target, if any is to be left.
func (w *world) committed(req surgical.Request, withJobs bool) surgical.Run {
	w.Helper()
	run := w.claimed(req)
	mark := ledger.CommitMark{At: w.now, Outcomes: map[surgical.Target]surgical.Outcome{}}
	var items []types.TransactWriteItem
	for _, ref := range run.Refs() {
		mark.Outcomes[ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Revision: 1, Changed: withJobs}
		if !withJobs {
			continue
		}
		mark.JobsInserted++
		job, err := w.ledger.InsertJob(surgical.Job{
			RunID: run.RunID, ID: ledger.JobID(surgical.JobDocs, ref.Target), Type: surgical.JobDocs, Ref: ref,
			Scope: surgical.Scope{All: true}, DirtyID: run.RunID, Status: surgical.JobPending,
		})
		w.must(err)
		items = append(items, job, w.dirty(ref, run.RunID, run.RunID))
	}
	row, err := w.ledger.CommitRun(run, mark)
	w.must(err)
	w.must(dynamo.Transact(w.Context(), w.db, append(items, row)))
	return w.run(run.RunID)
}

func (w *world) dirty(ref surgical.EntityRef, id, runID string) types.TransactWriteItem {
	w.Helper()
	item, err := w.ledger.InsertDirty(surgical.DirtySource{ID: id, Ref: ref, RunID: runID, Revision: 1, Scope: surgical.Scope{All: true}, CreatedAt: w.now})
	w.must(err)
	return item
}

// finishJobs does every job of the run.
func (w *world) finishJobs(runID string) {
	w.Helper()
	jobs, err := w.ledger.Jobs(w.Context(), runID)
	w.must(err)
	for _, job := range jobs {
		held, err := w.ledger.ClaimJob(w.Context(), job, 1, time.Minute)
		w.must(err)
		w.must(w.finish(held, ledger.Settled()))
	}
}

func (w *world) run(id string) surgical.Run {
	w.Helper()
	run, err := w.ledger.Run(w.Context(), id)
	w.must(err)
	return run
}

func (w *world) finish(job surgical.Job, done ledger.Done) error {
	_, _, err := w.ledger.FinishJob(w.Context(), surgical.Run{}, job, done)
	return err
}
