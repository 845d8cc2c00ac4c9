package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// MaxTransactItems is how many items DynamoDB takes in one transaction.
const MaxTransactItems = 100

// Drain takes over what earlier runs left undone: one transaction replaces the old dirty
// rows of the run's entities by one of its own for each, inserts a docs job for
// it and marks the run as committed. Rows of a run that is still open are that
// run's own and stay.
func (l *Ledger) Drain(ctx context.Context, run surgical.Run) (surgical.Run, error) {
	room := MaxTransactItems - 1 - 2*len(run.Targets)
	mark := CommitMark{At: l.clock(), Outcomes: map[surgical.Target]surgical.Outcome{}}
	var items []types.TransactWriteItem
	for _, ref := range run.Refs() {
		old, err := l.leftBehind(ctx, ref)
		if err != nil {
			return run, err
		}
		old = old[:min(len(old), room)]
		room -= len(old)
		mark.Outcomes[ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Changed: len(old) > 0}
		if len(old) == 0 {
			continue
		}
		taken, err := l.takeOver(run, ref, old)
		if err != nil {
			return run, err
		}
		items = append(items, taken...)
		mark.JobsInserted++
	}
	row, err := l.CommitRun(run, mark)
	if err != nil {
		return run, err
	}
	failure := dynamo.Transact(ctx, l.db, append([]types.TransactWriteItem{row}, items...))
	// Whatever the response was, the row decides.
	after, err := l.Run(ctx, run.RunID)
	switch {
	case err != nil:
		return run, err
	case after.Committed():
		return after, nil
	case dynamo.Contended(failure):
		return run, surgical.WrapError(surgical.CodeIngestFailed, failure, "the backlog moved while it was taken over")
	case dynamo.Invalid(failure):
		e := surgical.WrapError(surgical.CodeIngestFailed, failure, "the backlog cannot be taken over")
		e.Retryable = false
		return run, e
	}
	return run, fmt.Errorf("drain by run %s: %w", run.RunID, failure)
}

// leftBehind lists the entity's dirty sources whose run has ended.
func (l *Ledger) leftBehind(ctx context.Context, ref surgical.EntityRef) ([]surgical.DirtySource, error) {
	sources, err := l.DirtySources(ctx, ref)
	if err != nil {
		return nil, err
	}
	var old []surgical.DirtySource
	for _, source := range sources {
		ended, err := l.ended(ctx, source.RunID)
		if err != nil {
			return nil, err
		}
		if ended {
			old = append(old, source)
		}
	}
	return old, nil
}

// ended reports whether the run is terminal; one that expired ended long ago.
func (l *Ledger) ended(ctx context.Context, runID string) (bool, error) {
	run, err := l.Run(ctx, runID)
	if surgical.CodeOf(err) == surgical.CodeRunNotFound {
		return true, nil
	}
	return run.Status.Terminal(), err
}

// takeOver replaces the dirty sources by one of the run's own, with its job.
func (l *Ledger) takeOver(run surgical.Run, ref surgical.EntityRef, old []surgical.DirtySource) ([]types.TransactWriteItem, error) {
	own := surgical.DirtySource{ID: run.AttemptID().String(), Ref: ref, RunID: run.RunID, CreatedAt: l.clock()}
	var items []types.TransactWriteItem
	for _, source := range old {
		own.Scope = own.Scope.Union(source.Scope)
		own.Revision = max(own.Revision, source.Revision)
		gone, err := l.deleteExistingDirty(ref, source.ID)
		if err != nil {
			return nil, err
		}
		items = append(items, gone)
	}
	dirty, err := l.InsertDirty(own)
	if err != nil {
		return nil, err
	}
	job, err := l.InsertJob(surgical.Job{
		RunID: run.RunID, ID: JobID(surgical.JobDocs, ref.Target), Type: surgical.JobDocs,
		Ref: ref, Scope: own.Scope, DirtyID: own.ID, Status: surgical.JobPending,
	})
	return append(items, dirty, job), err
}

// deleteExistingDirty fails if another drain took the row over first.
func (l *Ledger) deleteExistingDirty(ref surgical.EntityRef, id string) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(expression.AttributeExists(expression.Name("dirty_id"))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("take over dirty source %s: %w", id, err)
	}
	item := l.deleteDirty(ref, id)
	item.Delete.ConditionExpression, item.Delete.ExpressionAttributeNames = expr.Condition(), expr.Names()
	return item, nil
}

// Backlog yields every dirty source that was inserted before the time and
// whose run has ended. It scans the table, which holds only the backlog and the
// current work.
func (l *Ledger) Backlog(ctx context.Context, before time.Time) iter.Seq2[surgical.DirtySource, error] {
	return func(yield func(surgical.DirtySource, error) bool) {
		ended := map[string]bool{} // a run that left many rows is read once
		pages := dynamodb.NewScanPaginator(l.db, &dynamodb.ScanInput{TableName: &l.tables.DirtySources})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(surgical.DirtySource{}, fmt.Errorf("list the backlog: %w", err))
				return
			}
			for _, item := range page.Items {
				source, left, err := l.backlogRow(ctx, item, before, ended)
				if (left || err != nil) && !yield(source, err) {
					return
				}
			}
		}
	}
}

func (l *Ledger) backlogRow(ctx context.Context, item dynamo.Item, before time.Time, ended map[string]bool) (source surgical.DirtySource, left bool, err error) {
	var row dirtyItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return source, false, fmt.Errorf("decode a dirty source: %w", err)
	}
	if source, err = row.source(); err != nil || !source.CreatedAt.Before(before) {
		return source, false, err
	}
	if _, known := ended[source.RunID]; !known {
		ended[source.RunID], err = l.ended(ctx, source.RunID)
	}
	return source, ended[source.RunID], err
}
