package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxCloseTries bounds how often a closing reads again because a job was
// inserted or ended meanwhile: a run has at most two jobs a target.
const maxCloseTries = 2*surgical.MaxTargets + 2

// Close implements [surgical.Ledger]: one transaction makes the run terminal,
// aborts its open jobs and writes its entity rows. It requires the counter of
// inserted jobs that was read before the jobs were listed, so that no job can
// slip in between. A run that is terminal already is returned as it is.
func (l *Ledger) Close(ctx context.Context, runID string, closing surgical.Closing) (surgical.Run, error) {
	for range maxCloseTries {
		run, err := l.Run(ctx, runID)
		if err != nil || run.Status.Terminal() {
			return run, err
		}
		if closing.Attempt != 0 && (run.Committed() || run.Attempt != closing.Attempt) {
			return run, surgical.ErrMoved
		}
		jobs, err := l.jobsOf(ctx, run)
		if err != nil {
			return run, err
		}
		open := openJobs(jobs)
		if closing.Status == surgical.StatusSucceeded && slices.ContainsFunc(jobs, isNotDone) {
			return run, surgical.ErrOpenJobs
		}
		closing.Clean = closing.Clean && !repeated(jobs)
		closed, err := l.tryClose(ctx, run, closing, open)
		if closed {
			return l.closed(ctx, runID)
		}
		if err != nil {
			return run, err
		}
	}
	return surgical.Run{}, fmt.Errorf("close run %s: it moved %d times: %w", runID, maxCloseTries, surgical.ErrMoved)
}

// closed reads the run that this ledger just closed, and tells the meter of it.
func (l *Ledger) closed(ctx context.Context, runID string) (surgical.Run, error) {
	run, err := l.Run(ctx, runID)
	if err == nil && l.meter != nil {
		l.meter.Closed(run)
	}
	return run, err
}

func (l *Ledger) jobsOf(ctx context.Context, run surgical.Run) ([]surgical.Job, error) {
	if run.JobsInserted == 0 {
		return nil, nil
	}
	return l.Jobs(ctx, run.RunID)
}

func isNotDone(job surgical.Job) bool { return job.Status != surgical.JobDone }

func openJobs(jobs []surgical.Job) []surgical.Job {
	return slices.DeleteFunc(slices.Clone(jobs), func(job surgical.Job) bool {
		return job.Status != surgical.JobPending && job.Status != surgical.JobClaimed
	})
}

// repeated reports whether a stage was ever broken off: what it wrote last may
// have been written for nothing.
func repeated(jobs []surgical.Job) bool {
	return slices.ContainsFunc(jobs, func(job surgical.Job) bool {
		return job.Unclean || job.Attempts > 1 || job.Attempts == 1 && job.Status != surgical.JobDone
	})
}

// tryClose reports false without an error when anything moved meanwhile.
func (l *Ledger) tryClose(ctx context.Context, run surgical.Run, closing surgical.Closing, open []surgical.Job) (bool, error) {
	row, err := l.closeRun(run, closing, len(open))
	if err != nil {
		return false, err
	}
	items := []types.TransactWriteItem{row}
	for _, job := range open {
		abort, err := l.abortJob(job, closing)
		if err != nil {
			return false, err
		}
		items = append(items, abort)
	}
	for _, entity := range entityRows(run, closing) {
		put, err := l.putEntity(entity)
		if err != nil {
			return false, err
		}
		items = append(items, put)
	}
	err = dynamo.Transact(ctx, l.db, items)
	if dynamo.Contended(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("close run %s: %w", run.RunID, err)
	}
	return true, nil
}

func (l *Ledger) closeRun(run surgical.Run, closing surgical.Closing, aborted int) (types.TransactWriteItem, error) {
	now := l.clock()
	condition := expression.Name("status").Equal(expression.Value(run.Status)).
		And(expression.Name("jobs_inserted").Equal(expression.Value(run.JobsInserted)))
	if closing.Attempt != 0 {
		condition = condition.And(held(run))
	}
	if !run.Committed() {
		// What is committed meanwhile changes what the entity rows have to say.
		condition = condition.And(uncommitted())
	}
	update := expression.Set(expression.Name("status"), expression.Value(closing.Status)).
		Set(expression.Name("finished_at"), expression.Value(micros(now))).
		Set(expression.Name("expires_at"), expression.Value(now.Add(runLifetime).Unix())).
		Remove(expression.Name("lease_until")).
		Add(expression.Name("counters.gitlab_requests"), expression.Value(closing.Requests)).
		Add(expression.Name("counters.jobs_aborted"), expression.Value(aborted))
	if closing.Status == surgical.StatusSucceeded {
		update = update.Set(expression.Name("stage"), expression.Value(surgical.StageDone))
	}
	if closing.Error != nil {
		update = update.Set(expression.Name("error"), expression.Value(itemOfError(closing.Error)))
	} else {
		update = update.Remove(expression.Name("error"))
	}
	if closing.Previews != nil {
		update = update.Set(expression.Name("previews"), expression.Value(itemsOfPreviews(closing.Previews)))
	}
	if closing.CoalescedWith != "" {
		update = update.Set(expression.Name("coalesced_with"), expression.Value(closing.CoalescedWith))
	}
	if closing.Clean {
		update = update.Remove(expression.Name("sweep")).Remove(expression.Name("sweep_after"))
	} else {
		update = update.Set(expression.Name("sweep"), expression.Value(sweepPending)).
			Set(expression.Name("sweep_after"), expression.Value(micros(now.Add(sweepDelay))))
	}
	return l.runUpdate(run.RunID, condition, update)
}

func (l *Ledger) abortJob(job surgical.Job, closing surgical.Closing) (types.TransactWriteItem, error) {
	reason := string(closing.Status)
	if closing.Error != nil {
		reason = string(closing.Error.Code)
	}
	status := expression.Name("status")
	return updateItem(l.tables.DependentQueue, jobKey(job.RunID, job.ID),
		status.In(expression.Value(surgical.JobPending), expression.Value(surgical.JobClaimed)),
		expression.Set(status, expression.Value(surgical.JobAborted)).
			Set(expression.Name("aborted_reason"), expression.Value(reason)).
			Set(expression.Name("expires_at"), expression.Value(l.clock().Add(runLifetime).Unix())).
			Remove(expression.Name("lease_until")))
}

// entityRows say what became of each target: what the commit decided, else
// the target's own failure, else that a peer stopped it.
func entityRows(run surgical.Run, closing surgical.Closing) []surgical.EntityRow {
	failures := map[surgical.Target]surgical.TargetFailure{}
	if closing.Error != nil {
		for _, f := range closing.Error.Failures {
			failures[f.Target] = f
		}
	}
	rows := make([]surgical.EntityRow, 0, len(run.Targets))
	for _, ref := range run.Refs() {
		row := surgical.EntityRow{RunID: run.RunID, Ref: ref, Stage: run.Stage}
		outcome, committed := run.Outcomes[ref.Target]
		failure, failed := failures[ref.Target]
		switch {
		case committed:
			row.Status = outcome.Status
		case closing.Status == surgical.StatusSucceeded:
			row.Status = surgical.EntityOK
		case failed:
			row.Status, row.Code, row.Message = surgical.EntityFailed, failure.Code, failure.Message
		case len(failures) > 0:
			row.Status, row.Code = surgical.EntityFailed, surgical.CodeAbortedByPeer
			row.Message = "another target of the run failed"
		default:
			row.Status, row.Code, row.Message = surgical.EntityFailed, closing.Error.Code, closing.Error.Message
		}
		rows = append(rows, row)
	}
	return rows
}

// entityItem is a row of sync_run_entities.
type entityItem struct {
	RunID     string `dynamodbav:"run_id"`
	Target    string `dynamodbav:"target"`
	Entity    string `dynamodbav:"entity"`
	Type      string `dynamodbav:"entity_type"`
	IID       int64  `dynamodbav:"iid"`
	ProjectID int64  `dynamodbav:"project_id"`
	Stage     string `dynamodbav:"stage"`
	Status    string `dynamodbav:"status"`
	Code      string `dynamodbav:"error_code,omitempty"`
	Message   string `dynamodbav:"error_message,omitempty"`
	UpdatedAt int64  `dynamodbav:"updated_at"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

func (l *Ledger) putEntity(row surgical.EntityRow) (types.TransactWriteItem, error) {
	now := l.clock()
	item, err := attributevalue.MarshalMap(entityItem{
		RunID: row.RunID, Target: row.Ref.Target.String(), Entity: row.Ref.Key(),
		Type: string(row.Ref.Type), IID: row.Ref.IID, ProjectID: row.Ref.ProjectID,
		Stage: string(row.Stage), Status: string(row.Status), Code: string(row.Code), Message: row.Message,
		UpdatedAt: micros(now), ExpiresAt: now.Add(runLifetime).Unix(),
	})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode entity row: %w", err)
	}
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.SyncRunEntities, Item: item}}, nil
}
