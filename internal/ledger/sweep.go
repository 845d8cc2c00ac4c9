package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// OpenRuns yields the ids of the runs in the status that were created before the
// time, oldest first. The index lags a little behind the rows.
func (l *Ledger) OpenRuns(ctx context.Context, status surgical.RunStatus, before time.Time) iter.Seq2[string, error] {
	return l.runIDs(ctx, tables.RunsByStatus, expression.KeyAnd(
		expression.Key("status").Equal(expression.Value(status)),
		expression.Key("created_at").LessThanEqual(expression.Value(dynamo.Micros(before)))))
}

// RunsToSweep yields the ids of the runs whose staged items are due for the
// orphan sweeper.
func (l *Ledger) RunsToSweep(ctx context.Context) iter.Seq2[string, error] {
	return l.runIDs(ctx, tables.RunsToSweep, expression.KeyAnd(
		expression.Key("sweep").Equal(expression.Value(sweepPending)),
		expression.Key("sweep_after").LessThanEqual(expression.Value(dynamo.Micros(l.clock())))))
}

func (l *Ledger) runIDs(ctx context.Context, index string, condition expression.KeyConditionBuilder) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		expr, err := expression.NewBuilder().WithKeyCondition(condition).Build()
		if err != nil {
			yield("", fmt.Errorf("list runs: %w", err))
			return
		}
		for item, err := range dynamo.QueryAll(ctx, l.db, &dynamodb.QueryInput{
			TableName: &l.tables.SyncRuns, IndexName: &index, KeyConditionExpression: expr.KeyCondition(),
			ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		}) {
			if err != nil {
				yield("", fmt.Errorf("list runs: %w", err))
				return
			}
			id, ok := item["run_id"].(*types.AttributeValueMemberS)
			if ok && !yield(id.Value, nil) {
				return
			}
		}
	}
}

// SweepAgain postpones the sweep of a run that may still stage something.
func (l *Ledger) SweepAgain(ctx context.Context, runID string) error {
	_, err := l.update(ctx, runID, expression.AttributeExists(expression.Name("sweep")),
		expression.Set(expression.Name("sweep_after"), expression.Value(dynamo.Micros(l.clock().Add(surgical.SweepDelay)))))
	return err
}

// Swept records that nothing of the terminal run is left to sweep.
func (l *Ledger) Swept(ctx context.Context, run surgical.Run) error {
	_, err := l.update(ctx, run.RunID, expression.Name("status").Equal(expression.Value(run.Status)),
		expression.Remove(expression.Name("sweep")).Remove(expression.Name("sweep_after")))
	return err
}

// Settled reports whether nothing that the run began can land any more: it
// ended longer ago than any write of a dead function takes.
func (l *Ledger) Settled(run surgical.Run) bool {
	return run.Status.Terminal() && !l.clock().Before(run.FinishedAt.Add(surgical.SweepDelay))
}

// Resend records that the run's message is sent again. The error is
// [surgical.ErrMoved] if the run is no longer queued, or if the message was sent
// less than interval ago.
func (l *Ledger) Resend(ctx context.Context, runID string, interval time.Duration) (surgical.Run, error) {
	now := l.clock()
	sent := expression.Name("resent_at")
	return l.update(ctx, runID,
		expression.Name("status").Equal(expression.Value(surgical.StatusQueued)).
			And(expression.AttributeNotExists(sent).Or(sent.LessThanEqual(expression.Value(dynamo.Micros(now.Add(-interval)))))),
		expression.Set(sent, expression.Value(dynamo.Micros(now))))
}
