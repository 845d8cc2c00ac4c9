package ledger

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Entities lists what became of each target of the run. A run that is not
// terminal has no rows yet.
func (l *Ledger) Entities(ctx context.Context, runID string) ([]surgical.EntityRow, error) {
	var rows []surgical.EntityRow
	for item, err := range l.under(ctx, l.tables.SyncRunEntities, "run_id", runID) {
		if err != nil {
			return nil, fmt.Errorf("list entities of %s: %w", runID, err)
		}
		var row entityItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode an entity row of %s: %w", runID, err)
		}
		rows = append(rows, surgical.EntityRow{
			RunID: row.RunID, Stage: surgical.Stage(row.Stage), Status: surgical.EntityStatus(row.Status),
			Ref:  surgical.EntityRef{ProjectID: row.ProjectID, Target: surgical.Target{Type: surgical.EntityType(row.Type), IID: row.IID}},
			Code: surgical.Code(row.Code), Message: row.Message, UpdatedAt: fromMicros(row.UpdatedAt),
		})
	}
	return rows, nil
}
