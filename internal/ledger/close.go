package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxCloseTries bounds how often a closing reads again because a job was
// inserted or ended in the meantime: a run has at most two jobs per target.
const maxCloseTries = 2*surgical.MaxTargets + 2

// closing is what an [surgical.Ending] does to a run.
type closing struct {
	status surgical.RunStatus
	err    *surgical.Error
	// attempt, if set, restricts the closing to a run that this attempt holds and
	// that has committed nothing.
	attempt       int64
	coalescedWith string
	previews      map[surgical.Target]surgical.Preview
	requests      int64
	// followUp is made pending by the same transaction, and hides are queued.
	followUp *surgical.FollowUp
	hides    []surgical.Request
	// clean reports that nothing the run staged can be an orphan. Otherwise the
	// orphan sweeper looks at the run's entities a while after its end.
	clean bool
	// stage, if set, is the one that the run failed in.
	stage surgical.Stage
	// undone is what the run leaves without documents or embeddings, by target.
	undone map[surgical.Target]undone
	// warnings are those of the docs jobs, by target.
	warnings map[surgical.Target][]string
	// finishing, if set, is the run's only job, which the same transaction ends.
	finishing *finishing
}

// closingOf decides what the ending does to the run as it was read.
func closingOf(run surgical.Run, ending surgical.Ending) closing {
	// The row is marked for the sweeper before anything is staged. Only the
	// holder of the attempt can do so, so its absence is proof for endings that
	// require the attempt, and for a run that is past its commit.
	unmarked := !run.SweepPending
	switch e := ending.(type) {
	case surgical.Succeeded:
		return closing{status: surgical.StatusSucceeded, clean: e.Clean || unmarked}
	case surgical.Coalesced:
		return closing{status: surgical.StatusSucceeded, attempt: e.Attempt, coalescedWith: e.With, clean: unmarked}
	case surgical.Previewed:
		return closing{status: surgical.StatusSucceeded, attempt: e.Attempt, previews: e.Previews, requests: e.Requests, clean: unmarked}
	case surgical.GivenUp:
		return closing{status: surgical.StatusFailed, err: e.Error, attempt: e.Attempt, previews: e.Previews, requests: e.Requests, followUp: e.Missing.FollowUp, hides: e.Missing.Hides, clean: unmarked}
	case surgical.Lost:
		return closing{status: surgical.StatusFailed, err: e.Error, attempt: e.Attempt}
	case surgical.Failed:
		return closing{status: surgical.StatusFailed, err: e.Error}
	case surgical.Cancelled:
		// A run that no worker has claimed staged nothing. A claim in the meantime
		// changes the status, which the closing requires.
		return closing{status: surgical.StatusCancelled, err: e.Error, clean: run.Status == surgical.StatusQueued}
	default:
		panic(fmt.Sprintf("ledger: unknown ending %T", ending))
	}
}

// Close makes the run terminal in one transaction that also aborts its open
// jobs and writes its entity rows. The transaction requires the counter of
// inserted jobs that was read before the jobs were listed, so that no job can
// slip in between. seen is the run as the caller read it last; it is read again
// only if it has changed. A run that is already terminal is returned unchanged.
//
// If the run has moved on past the ending, the error is [surgical.ErrMoved]. If
// it has open jobs and should succeed, the error is [surgical.ErrOpenJobs]. Both
// come with the current run.
func (l *Ledger) Close(ctx context.Context, seen surgical.Run, ending surgical.Ending) (surgical.Run, error) {
	run := seen
	for try := range maxCloseTries {
		if try > 0 {
			var err error
			if run, err = l.Run(ctx, seen.RunID); err != nil {
				return run, err
			}
		}
		closed, err := l.tryClose(ctx, run, ending)
		if !errors.Is(err, errRowMoved) {
			return closed, err
		}
	}
	return run, fmt.Errorf("close run %s: it moved %d times: %w", seen.RunID, maxCloseTries, surgical.ErrMoved)
}

// errRowMoved reports that the run, or one of its jobs, changed after it was
// read.
var errRowMoved = errors.New("the run moved while it was being closed")

func (l *Ledger) tryClose(ctx context.Context, run surgical.Run, ending surgical.Ending) (surgical.Run, error) {
	if run.Status.Terminal() {
		return run, nil
	}
	c := closingOf(run, ending)
	if c.attempt != 0 && (run.Committed() || run.Attempt != c.attempt) {
		return run, surgical.ErrMoved
	}
	jobs, err := l.jobsOf(ctx, run)
	if err != nil {
		return run, err
	}
	closed, err := l.end(ctx, run, c, jobs)
	if dynamo.Contended(err) {
		return run, errRowMoved
	}
	if err != nil && !errors.Is(err, surgical.ErrOpenJobs) {
		err = fmt.Errorf("close run %s: %w", run.RunID, err)
	}
	return closed, err
}

// end writes the closing of a run with these jobs, all that it has, and counts it. No
// run becomes terminal otherwise. With open jobs, a run that should succeed gives
// [surgical.ErrOpenJobs]. Other errors are DynamoDB's, and come with the run as given.
func (l *Ledger) end(ctx context.Context, run surgical.Run, c closing, jobs []surgical.Job) (surgical.Run, error) {
	if c.status == surgical.StatusSucceeded && slices.ContainsFunc(jobs, surgical.Job.Open) {
		return run, surgical.ErrOpenJobs
	}
	c = c.withJobs(run, jobs)
	c.clean = c.clean && !repeated(jobs)
	open, now := openJobs(jobs), l.clock()
	items, err := l.closingItems(ctx, run, c, open, now)
	if err != nil {
		return run, err
	}
	if err := dynamo.Transact(ctx, l.db, items); err != nil {
		return run, err
	}
	if len(open) > 0 {
		// A stage may have counted its last job after the row was read.
		if run, err = l.Run(ctx, run.RunID); err != nil {
			return run, err
		}
	} else {
		if run, err = c.applied(run, now); err != nil {
			return run, err
		}
	}
	l.meter.Closed(run)
	return run, nil
}

// applied is the run as the closing left it.
func (c closing) applied(run surgical.Run, now time.Time) (surgical.Run, error) {
	run.Status, run.FinishedAt, run.LeaseUntil = c.status, dynamo.FromMicros(dynamo.Micros(now)), time.Time{}
	run.CoalescedWith, run.SweepPending = cmp.Or(c.coalescedWith, run.CoalescedWith), !c.clean
	run.Counters.GitLabRequests += c.requests
	if c.status == surgical.StatusSucceeded {
		run.Stage = surgical.StageDone
	} else if c.stage != "" {
		run.Stage = c.stage
	}
	if c.previews != nil {
		run.Previews = c.previews
	}
	run.BehindEvent = run.BehindEvent || c.followUp != nil
	if c.finishing != nil {
		run = c.finishing.applied(run)
	}
	var err error
	run.Error, err = itemOfError(c.err).error(run.RunID)
	return run, err
}

func (l *Ledger) jobsOf(ctx context.Context, run surgical.Run) ([]surgical.Job, error) {
	if run.JobsInserted == 0 {
		return nil, nil
	}
	return l.Jobs(ctx, run.RunID)
}

func openJobs(jobs []surgical.Job) []surgical.Job {
	return slices.DeleteFunc(slices.Clone(jobs), func(job surgical.Job) bool { return !job.Open() })
}

// repeated reports whether a job was ever interrupted: what it wrote last may
// have been written for nothing.
func repeated(jobs []surgical.Job) bool {
	return slices.ContainsFunc(jobs, func(job surgical.Job) bool {
		return job.Unclean || job.Attempts > 1 || job.Attempts == 1 && job.Status != surgical.JobDone
	})
}

// closingItems are the items of the closing's transaction.
func (l *Ledger) closingItems(ctx context.Context, run surgical.Run, c closing, open []surgical.Job, now time.Time) ([]types.TransactWriteItem, error) {
	row, err := l.closeRun(run, c, len(open), now)
	if err != nil {
		return nil, err
	}
	items := []types.TransactWriteItem{row}
	if c.finishing != nil {
		finish, err := l.finishingItems(*c.finishing)
		if err != nil {
			return nil, err
		}
		items = append(items, finish...)
	}
	if c.followUp != nil {
		add, err := l.AddFollowUp(ctx, run.AttemptID(), *c.followUp)
		if err != nil {
			return nil, err
		}
		items = append(items, add)
	}
	for _, hide := range c.hides {
		queue, err := putItem(l.tables.SyncRuns, "run_id", newRunItem(hide, surgical.StatusQueued, dynamo.Micros(now)))
		if err != nil {
			return nil, err
		}
		items = append(items, queue)
	}
	for _, job := range open {
		abort, err := l.abortJob(job, c, now)
		if err != nil {
			return nil, err
		}
		items = append(items, abort)
	}
	for _, ref := range c.leaves(run) {
		mark, err := l.markLeft(ref, run.RunID, now)
		if err != nil {
			return nil, err
		}
		items = append(items, mark)
	}
	for _, entity := range entityRows(run, c) {
		put, err := l.putEntity(entity, now)
		if err != nil {
			return nil, err
		}
		items = append(items, put)
	}
	return items, nil
}

func (l *Ledger) closeRun(run surgical.Run, c closing, aborted int, now time.Time) (types.TransactWriteItem, error) {
	condition := expression.Name("status").Equal(expression.Value(run.Status)).
		And(expression.Name("jobs_inserted").Equal(expression.Value(run.JobsInserted)))
	if c.attempt != 0 {
		condition = condition.And(held(run))
	}
	if !run.Committed() {
		// A commit in the meantime changes the entity rows.
		condition = condition.And(uncommitted())
	}
	update := expression.Set(expression.Name("status"), expression.Value(c.status)).
		Set(expression.Name("finished_at"), expression.Value(dynamo.Micros(now))).
		Set(expression.Name("expires_at"), expression.Value(now.Add(runLifetime).Unix())).
		Remove(expression.Name("lease_until")).
		Add(expression.Name("counters.gitlab_requests"), expression.Value(c.requests)).
		Add(expression.Name("counters.jobs_aborted"), expression.Value(aborted))
	if c.status == surgical.StatusSucceeded {
		update = update.Set(expression.Name("stage"), expression.Value(surgical.StageDone))
	} else if c.stage != "" {
		update = update.Set(expression.Name("stage"), expression.Value(c.stage))
	}
	if c.err != nil {
		update = update.Set(expression.Name("error"), expression.Value(itemOfError(c.err)))
	} else {
		update = update.Remove(expression.Name("error"))
	}
	if c.previews != nil {
		update = update.Set(expression.Name("previews"), expression.Value(itemsOfPreviews(c.previews)))
	}
	if c.followUp != nil {
		update = update.Set(expression.Name("behind_event"), expression.Value(true))
	}
	if c.coalescedWith != "" {
		update = update.Set(expression.Name("coalesced_with"), expression.Value(c.coalescedWith))
	}
	if c.finishing != nil {
		update = c.finishing.inRun(update)
	}
	if c.clean {
		update = update.Remove(expression.Name("sweep")).Remove(expression.Name("sweep_after"))
	} else {
		update = update.Set(expression.Name("sweep"), expression.Value(sweepPending)).
			Set(expression.Name("sweep_after"), expression.Value(dynamo.Micros(now.Add(surgical.SweepDelay))))
	}
	return l.runUpdate(run.RunID, condition, update)
}

func (l *Ledger) abortJob(job surgical.Job, c closing, now time.Time) (types.TransactWriteItem, error) {
	reason := string(c.status)
	if c.err != nil {
		reason = string(c.err.Code)
	}
	status := expression.Name("status")
	return updateItem(l.tables.DependentQueue, jobKey(job.RunID, job.ID),
		status.In(expression.Value(surgical.JobPending), expression.Value(surgical.JobClaimed)),
		expression.Set(status, expression.Value(surgical.JobAborted)).
			Set(expression.Name("aborted_reason"), expression.Value(reason)).
			Set(expression.Name("expires_at"), expression.Value(now.Add(runLifetime).Unix())).
			Remove(expression.Name("lease_until")))
}

// entityRows returns the outcome of each target: that its documents or embeddings
// were left undone, else what the commit decided, else the target's own failure,
// else that a peer stopped it.
func entityRows(run surgical.Run, c closing) []surgical.EntityRow {
	failures := map[surgical.Target]surgical.TargetFailure{}
	if c.err != nil {
		for _, f := range c.err.Failures {
			failures[f.Target] = f
		}
	}
	rows := make([]surgical.EntityRow, 0, len(run.Targets))
	for _, ref := range run.Refs() {
		row := surgical.EntityRow{RunID: run.RunID, Ref: ref, Stage: run.Stage, Warnings: c.warnings[ref.Target]}
		outcome, committed := run.Outcomes[ref.Target]
		failure, failed := failures[ref.Target]
		left, isUndone := c.undone[ref.Target]
		switch {
		case isUndone:
			row.Stage, row.Status, row.Code, row.Message = left.stage, surgical.EntityFailed, left.failure.Code, left.failure.Message
		case committed:
			row.Status = outcome.Status
		case c.status == surgical.StatusSucceeded:
			row.Status = surgical.EntityOK
		case failed:
			row.Status, row.Code, row.Message = surgical.EntityFailed, failure.Code, failure.Message
		case len(failures) > 0:
			row.Status, row.Code = surgical.EntityFailed, surgical.CodeAbortedByPeer
			row.Message = "another target of the run failed"
		default:
			row.Status, row.Code, row.Message = surgical.EntityFailed, c.err.Code, c.err.Message
		}
		rows = append(rows, row)
	}
	return rows
}

// entityItem is a row of sync_run_entities.
type entityItem struct {
	RunID     string   `dynamodbav:"run_id"`
	Target    string   `dynamodbav:"target"`
	Entity    string   `dynamodbav:"entity"`
	Type      string   `dynamodbav:"entity_type"`
	IID       int64    `dynamodbav:"iid"`
	ProjectID int64    `dynamodbav:"project_id"`
	Stage     string   `dynamodbav:"stage"`
	Status    string   `dynamodbav:"status"`
	Code      string   `dynamodbav:"error_code,omitempty"`
	Message   string   `dynamodbav:"error_message,omitempty"`
	Warnings  []string `dynamodbav:"warnings,omitempty"`
	UpdatedAt int64    `dynamodbav:"updated_at"`
	ExpiresAt int64    `dynamodbav:"expires_at"`
}

func (l *Ledger) putEntity(row surgical.EntityRow, now time.Time) (types.TransactWriteItem, error) {
	item, err := attributevalue.MarshalMap(entityItem{
		RunID: row.RunID, Target: row.Ref.Target.String(), Entity: row.Ref.Key(),
		Type: string(row.Ref.Type), IID: row.Ref.IID, ProjectID: row.Ref.ProjectID,
		Stage: string(row.Stage), Status: string(row.Status), Code: string(row.Code), Message: row.Message, Warnings: row.Warnings,
		UpdatedAt: dynamo.Micros(now), ExpiresAt: now.Add(runLifetime).Unix(),
	})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode entity row: %w", err)
	}
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.SyncRunEntities, Item: item}}, nil
}
