package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// jobItem is a row of dependent_queue.
type jobItem struct {
	RunID         string   `dynamodbav:"scope_run_id"`
	ID            string   `dynamodbav:"job_id"`
	Type          string   `dynamodbav:"job_type"`
	Entity        string   `dynamodbav:"entity"`
	All           bool     `dynamodbav:"all,omitempty"`
	Children      []string `dynamodbav:"children,omitempty"`
	Hide          bool     `dynamodbav:"hide,omitempty"`
	DirtyID       string   `dynamodbav:"dirty_id"`
	Status        string   `dynamodbav:"status"`
	AbortedReason string   `dynamodbav:"aborted_reason,omitempty"`
	Attempts      int64    `dynamodbav:"attempts"`
	LeaseUntil    int64    `dynamodbav:"lease_until,omitempty"`

	Cursor           string   `dynamodbav:"cursor,omitempty"`
	Regenerated      []string `dynamodbav:"regenerated,omitempty"`
	RegeneratedAll   bool     `dynamodbav:"regenerated_all,omitempty"`
	RegeneratedCount int64    `dynamodbav:"regenerated_count,omitempty"`
	DocumentsWritten int64    `dynamodbav:"documents_written,omitempty"`
	ChunksEmbedded   int64    `dynamodbav:"chunks_embedded,omitempty"`
	Unclean          bool     `dynamodbav:"unclean,omitempty"`
	Generation       int64    `dynamodbav:"generation,omitempty"`
	// Error has no failures of its own. It is absent from rows of older versions.
	Error     *errorItem `dynamodbav:"error,omitempty"`
	Warnings  []string   `dynamodbav:"warnings,omitempty"`
	ExpiresAt int64      `dynamodbav:"expires_at,omitempty"`
}

// JobID is the id of a job within its run: there is one per target and type.
func JobID(typ surgical.JobType, target surgical.Target) string {
	return string(typ) + "#" + target.String()
}

func itemOfJob(j surgical.Job) jobItem {
	return jobItem{
		RunID: j.RunID, ID: j.ID, Type: string(j.Type), Entity: j.Ref.Key(),
		All: j.Scope.All, Children: j.Scope.Children, Hide: j.Scope.Hide, DirtyID: j.DirtyID,
		Status: string(j.Status), AbortedReason: j.AbortedReason, Attempts: j.Attempts, LeaseUntil: dynamo.Micros(j.LeaseUntil),
		Cursor: j.Cursor, Regenerated: j.Regenerated, RegeneratedAll: j.RegeneratedAll, RegeneratedCount: j.RegeneratedCount,
		DocumentsWritten: j.DocumentsWritten, ChunksEmbedded: j.ChunksEmbedded, Unclean: j.Unclean, Generation: j.Generation, Error: itemOfError(j.Error), Warnings: j.Warnings,
	}
}

func jobOf(item dynamo.Item) (surgical.Job, error) {
	var row jobItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.Job{}, fmt.Errorf("decode job: %w", err)
	}
	ref, err := surgical.ParseEntityRef(row.Entity)
	if err != nil {
		return surgical.Job{}, fmt.Errorf("decode job %s: %w", row.ID, err)
	}
	why, err := row.Error.error(row.RunID)
	if err != nil {
		return surgical.Job{}, fmt.Errorf("decode job %s: %w", row.ID, err)
	}
	return surgical.Job{
		RunID: row.RunID, ID: row.ID, Type: surgical.JobType(row.Type), Ref: ref,
		Scope:   surgical.Scope{All: row.All, Children: row.Children, Hide: row.Hide},
		DirtyID: row.DirtyID, Status: surgical.JobStatus(row.Status), AbortedReason: row.AbortedReason,
		Attempts: row.Attempts, LeaseUntil: dynamo.FromMicros(row.LeaseUntil),
		Cursor: row.Cursor, Regenerated: row.Regenerated, RegeneratedAll: row.RegeneratedAll, RegeneratedCount: row.RegeneratedCount,
		DocumentsWritten: row.DocumentsWritten, ChunksEmbedded: row.ChunksEmbedded, Unclean: row.Unclean, Generation: row.Generation, Error: why, Warnings: row.Warnings,
	}, nil
}

// InsertJob inserts the job within a transaction. The same transaction must
// hold a check that the run is running and raise its counter.
func (l *Ledger) InsertJob(j surgical.Job) (types.TransactWriteItem, error) {
	return putItem(l.tables.DependentQueue, "job_id", itemOfJob(j))
}

func jobKey(runID, jobID string) dynamo.Item {
	return dynamo.Item{
		"scope_run_id": &types.AttributeValueMemberS{Value: runID},
		"job_id":       &types.AttributeValueMemberS{Value: jobID},
	}
}

// Jobs lists the run's jobs, strongly consistent, in the order of their ids.
func (l *Ledger) Jobs(ctx context.Context, runID string) ([]surgical.Job, error) {
	var jobs []surgical.Job
	for item, err := range l.under(ctx, l.tables.DependentQueue, "scope_run_id", runID) {
		if err != nil {
			return nil, fmt.Errorf("list jobs of %s: %w", runID, err)
		}
		job, err := jobOf(item)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// ClaimJob claims a job for a generation of the workflow, for the duration of
// lease, and returns its row; only RunID and ID of job are used. The job must be
// pending, or its lease must have expired, or it must be held by the same or an
// older generation: a function is invoked again only after it failed or died, so the
// previous holder is dead, or soon finds out that it has lost the claim. Anything else gives [surgical.ErrMoved].
func (l *Ledger) ClaimJob(ctx context.Context, job surgical.Job, generation int64, lease time.Duration) (surgical.Job, error) {
	now := l.clock()
	status, holder := expression.Name("status"), expression.Name("generation")
	free := status.Equal(expression.Value(surgical.JobPending)).
		Or(status.Equal(expression.Value(surgical.JobClaimed)).
			And(expression.Name("lease_until").LessThanEqual(expression.Value(dynamo.Micros(now))).
				Or(holder.LessThanEqual(expression.Value(generation)))))
	return l.updateJob(ctx, job, free,
		expression.Set(status, expression.Value(surgical.JobClaimed)).
			Set(expression.Name("lease_until"), expression.Value(dynamo.Micros(now.Add(lease)))).
			Set(holder, expression.Value(generation)).
			Add(expression.Name("attempts"), expression.Value(1)))
}

// heldJob is the condition that the job is still held by this claim.
func heldJob(job surgical.Job) expression.ConditionBuilder {
	return expression.Name("status").Equal(expression.Value(surgical.JobClaimed)).
		And(expression.Name("attempts").Equal(expression.Value(job.Attempts)))
}

// HandOn gives the job back with what was done so far, for the next generation
// or, if the job has an error, for the next try.
func (l *Ledger) HandOn(ctx context.Context, job surgical.Job) (surgical.Job, error) {
	return l.updateJob(ctx, job, heldJob(job),
		progress(job).
			Set(expression.Name("status"), expression.Value(surgical.JobPending)).
			Remove(expression.Name("lease_until")))
}

// FailJob marks the claimed job as failed permanently, with its error.
func (l *Ledger) FailJob(ctx context.Context, job surgical.Job) error {
	_, err := l.updateJob(ctx, job, heldJob(job),
		progress(job).
			Set(expression.Name("status"), expression.Value(surgical.JobFailed)).
			Set(expression.Name("expires_at"), expression.Value(l.clock().Add(runLifetime).Unix())).
			Remove(expression.Name("lease_until")))
	return err
}

// progress sets everything that working on a job changes in it.
func progress(job surgical.Job) expression.UpdateBuilder {
	update := expression.Remove(expression.Name("error"))
	if job.Error != nil {
		update = expression.Set(expression.Name("error"), expression.Value(itemOfError(job.Error)))
	}
	if len(job.Warnings) > 0 {
		update = update.Set(expression.Name("warnings"), expression.Value(job.Warnings))
	}
	return update.Set(expression.Name("cursor"), expression.Value(job.Cursor)).
		Set(expression.Name("regenerated"), expression.Value(job.Regenerated)).
		Set(expression.Name("regenerated_all"), expression.Value(job.RegeneratedAll)).
		Set(expression.Name("regenerated_count"), expression.Value(job.RegeneratedCount)).
		Set(expression.Name("documents_written"), expression.Value(job.DocumentsWritten)).
		Set(expression.Name("chunks_embedded"), expression.Value(job.ChunksEmbedded)).
		Set(expression.Name("unclean"), expression.Value(job.Unclean))
}

func (l *Ledger) updateJob(ctx context.Context, job surgical.Job, condition expression.ConditionBuilder, update expression.UpdateBuilder) (surgical.Job, error) {
	token, key := l.tokens(), jobKey(job.RunID, job.ID)
	item, err := l.write(ctx, l.tables.DependentQueue, key, token, condition, update)
	if dynamo.IsConditionFailed(err) {
		item, err = l.own(ctx, l.tables.DependentQueue, key, token)
	}
	if err != nil {
		return surgical.Job{}, fmt.Errorf("update job %s of %s: %w", job.ID, job.RunID, err)
	}
	return jobOf(item)
}

// EnterStage records that the committed run is now in the stage, and since when,
// and returns the row. A generation that the row does not know yet is recorded as
// well, because its launcher may have died before it could. A run that is not
// running, or is in a newer generation, gives [surgical.ErrMoved].
func (l *Ledger) EnterStage(ctx context.Context, runID string, stage surgical.Stage, generation int64) (surgical.Run, error) {
	now := l.clock()
	open := running().And(expression.AttributeExists(expression.Name("committed_by")))
	enter := func() expression.UpdateBuilder {
		started := expression.Name(string(stage) + "_started_at")
		return expression.Set(expression.Name("stage"), expression.Value(stage)).
			Set(started, expression.IfNotExists(started, expression.Value(dynamo.Micros(now))))
	}
	run, err := l.update(ctx, runID, open.And(in(generation)), enter())
	if !errors.Is(err, surgical.ErrMoved) {
		return run, err
	}
	run, err = l.update(ctx, runID, open.And(olderThan(generation)), begun(enter(), generation, now))
	if !errors.Is(err, surgical.ErrMoved) {
		return run, err
	}
	// The launcher may have recorded the generation between the two.
	return l.update(ctx, runID, open.And(in(generation)), enter())
}
