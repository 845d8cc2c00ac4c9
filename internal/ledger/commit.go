package ledger

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// CommitMark is what a commit writes into its run row.
type CommitMark struct {
	// At is the time of the commit.
	At                time.Time
	Outcomes          map[surgical.Target]surgical.Outcome
	JobsInserted      int64
	ChildrenWritten   int64
	ContentWriteUnits int64
	// BehindEvent is as [surgical.Run.BehindEvent].
	BehindEvent bool
	// Found is as [surgical.Run.Found].
	Found []surgical.Finding
}

// CommitRun marks the run as committed by its attempt, on condition that the
// run is running, the attempt holds it and nothing is committed yet. It belongs
// in the transaction that puts the heads: the row decides for all of them.
func (l *Ledger) CommitRun(run surgical.Run, mark CommitMark) (types.TransactWriteItem, error) {
	outcomes := make(map[string]outcomeItem, len(mark.Outcomes))
	for target, o := range mark.Outcomes {
		outcomes[target.String()] = outcomeItem{Status: string(o.Status), Revision: o.Revision, Changed: o.Changed}
	}
	update := expression.Set(expression.Name("committed_by"), expression.Value(run.Attempt)).
		Set(expression.Name("committed_at"), expression.Value(dynamo.Micros(mark.At))).
		Set(expression.Name("outcomes"), expression.Value(outcomes)).
		Add(expression.Name("jobs_inserted"), expression.Value(mark.JobsInserted)).
		Add(expression.Name("counters.children_written"), expression.Value(mark.ChildrenWritten)).
		Add(expression.Name("counters.content_write_units"), expression.Value(mark.ContentWriteUnits)).
		Remove(expression.Name("error"))
	if mark.BehindEvent {
		update = update.Set(expression.Name("behind_event"), expression.Value(true))
	}
	if len(mark.Found) > 0 {
		update = update.Set(expression.Name("found"), expression.Value(mark.Found))
	}
	if mark.JobsInserted > 0 {
		update = update.Set(expression.Name("stage"), expression.Value(surgical.StageDocs))
	}
	return l.runUpdate(run.RunID, held(run), update)
}

// Marked is the run as [Ledger.CommitRun] leaves it, once its transaction is
// known to have succeeded.
func (l *Ledger) Marked(run surgical.Run, mark CommitMark) surgical.Run {
	run.CommittedBy, run.Outcomes, run.Found, run.Error = run.Attempt, mark.Outcomes, mark.Found, nil
	run.Marks.Committed = dynamo.FromMicros(dynamo.Micros(mark.At))
	run.BehindEvent = run.BehindEvent || mark.BehindEvent
	run.JobsInserted += mark.JobsInserted
	run.Counters.ChildrenWritten += mark.ChildrenWritten
	run.Counters.ContentWriteUnits += mark.ContentWriteUnits
	if mark.JobsInserted > 0 {
		run.Stage = surgical.StageDocs
	}
	return run
}

// runUpdate is an update of a run row within a transaction.
func (l *Ledger) runUpdate(runID string, condition expression.ConditionBuilder, update expression.UpdateBuilder) (types.TransactWriteItem, error) {
	return updateItem(l.tables.SyncRuns, runKey(runID), condition, update)
}

func updateItem(table string, key dynamo.Item, condition expression.ConditionBuilder, update expression.UpdateBuilder) (types.TransactWriteItem, error) {
	expr, err := expression.NewBuilder().WithCondition(condition).WithUpdate(update).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("update in %s: %w", table, err)
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: key,
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}, nil
}

// putItem is an insertion within a transaction: an existing row refuses it.
func putItem(table, key string, row any) (types.TransactWriteItem, error) {
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode a row of %s: %w", table, err)
	}
	expr, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name(key))).Build()
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("insert into %s: %w", table, err)
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &table, Item: item, ConditionExpression: expr.Condition(), ExpressionAttributeNames: expr.Names(),
	}}, nil
}
