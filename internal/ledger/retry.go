package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Retry creates the run that retries a failed or cancelled one, or returns the
// one created earlier. One transaction inserts the new run and records it in the
// old one, so that the chain of retries can be followed and a run is retried
// once. The new run is queued and remembers the message that requested it.
func (l *Ledger) Retry(ctx context.Context, run surgical.Run, req surgical.Request, messageID string) (surgical.Run, error) {
	row := newRunItem(req, surgical.StatusQueued, dynamo.Micros(l.clock()))
	if messageID != "" {
		row.MessageIDs = []string{messageID}
	}
	insert, err := putItem(l.tables.SyncRuns, "run_id", row)
	if err != nil {
		return surgical.Run{}, err
	}
	link, err := l.runUpdate(run.RunID,
		expression.Name("status").In(expression.Value(surgical.StatusFailed), expression.Value(surgical.StatusCancelled)).
			And(expression.AttributeNotExists(expression.Name("retried_by"))),
		expression.Set(expression.Name("retried_by"), expression.Value(req.RunID)))
	if err != nil {
		return surgical.Run{}, err
	}
	err = dynamo.Transact(ctx, l.db, []types.TransactWriteItem{insert, link})
	if err != nil && dynamo.Refusals(err) == nil {
		return surgical.Run{}, fmt.Errorf("retry run %s: %w", run.RunID, err)
	}
	retry, readErr := l.Run(ctx, req.RunID)
	if err != nil && surgical.CodeOf(readErr) == surgical.CodeRunNotFound {
		return surgical.Run{}, errors.Join(surgical.ErrMoved, err)
	}
	return retry, readErr
}
