package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
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
// run's own and stay. The new row counts the runs that failed over the old ones.
func (l *Ledger) Drain(ctx context.Context, run surgical.Run) (surgical.Run, error) {
	room := MaxTransactItems - 1 - 2*len(run.Targets)
	mark := CommitMark{At: l.clock(), Outcomes: map[surgical.Target]surgical.Outcome{}}
	var items []types.TransactWriteItem
	var taken []Left
	for _, ref := range run.Refs() {
		left, err := l.LeftBehind(ctx, ref)
		if err != nil {
			return run, err
		}
		if len(left.Rows) > room { // the rest, and the mark, are the next drain's
			left.Rows, left.by = left.Rows[:room], ""
		}
		room -= len(left.Rows)
		taken = append(taken, left)
		mark.Outcomes[ref.Target] = surgical.Outcome{Status: surgical.EntityOK, Changed: len(left.Rows) > 0}
		if len(left.Rows) == 0 {
			continue
		}
		own, err := l.ownAfter(run, left)
		if err != nil {
			return run, err
		}
		items = append(items, own...)
		mark.JobsInserted++
	}
	row, err := l.CommitRun(run, mark)
	if err != nil {
		return run, err
	}
	items = append([]types.TransactWriteItem{row}, items...)
	old, err := l.TakeOver(taken, MaxTransactItems-len(items))
	if err != nil {
		return run, err
	}
	failure := dynamo.Transact(ctx, l.db, append(items, old...))
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
		e.Retryable, e.Action = false, surgical.ActionContactOperator
		return run, e
	}
	return run, fmt.Errorf("drain by run %s: %w", run.RunID, failure)
}

// ownAfter is the drain's own dirty source in place of what was left, with its job.
func (l *Ledger) ownAfter(run surgical.Run, left Left) ([]types.TransactWriteItem, error) {
	own := surgical.DirtySource{ID: run.AttemptID().String(), Ref: left.Ref, RunID: run.RunID, CreatedAt: l.clock()}.With(left.Rows)
	dirty, err := l.InsertDirty(own)
	if err != nil {
		return nil, err
	}
	job, err := l.InsertJob(surgical.Job{
		RunID: run.RunID, ID: JobID(surgical.JobDocs, left.Ref.Target), Type: surgical.JobDocs,
		Ref: left.Ref, Scope: own.Scope, DirtyID: own.ID, Status: surgical.JobPending,
	})
	return []types.TransactWriteItem{dirty, job}, err
}

// Backlog yields every dirty source that was inserted before the time and
// whose run has ended, from the one after the given row on. It scans the table, which
// holds only the backlog and the current work.
func (l *Ledger) Backlog(ctx context.Context, before time.Time, after surgical.DirtyKey) iter.Seq2[surgical.Leftover, error] {
	return func(yield func(surgical.Leftover, error) bool) {
		runs := map[string]*surgical.Run{} // a run that left many rows is read once
		scan := &dynamodb.ScanInput{TableName: &l.tables.DirtySources}
		if after.ID != "" {
			scan.ExclusiveStartKey = dirtyKey(after.Ref, after.ID)
		}
		pages := dynamodb.NewScanPaginator(l.db, scan)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(surgical.Leftover{}, fmt.Errorf("list the backlog: %w", err))
				return
			}
			for _, item := range page.Items {
				source, left, err := l.backlogRow(ctx, item, before, runs)
				if (left || err != nil) && !yield(source, err) {
					return
				}
			}
		}
	}
}

// backlogRow decodes a row, and reports whether it belongs to the backlog. runs
// are those that were read already; one that has not ended is nil.
func (l *Ledger) backlogRow(ctx context.Context, item dynamo.Item, before time.Time, runs map[string]*surgical.Run) (left surgical.Leftover, ended bool, err error) {
	var row dirtyItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return left, false, fmt.Errorf("decode a dirty source: %w", err)
	}
	source, err := row.source()
	if err != nil || !source.CreatedAt.Before(before) {
		return left, false, err
	}
	if _, known := runs[source.RunID]; !known {
		run, ended, err := l.ended(ctx, source.RunID)
		if err != nil {
			return left, false, err
		}
		runs[source.RunID] = nil
		if ended {
			runs[source.RunID] = &run
		}
	}
	run := runs[source.RunID]
	if run == nil {
		return left, false, nil
	}
	return source.LeftBy(*run), true, nil
}
