package ledger

import (
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Entities lists the outcome of each target of the run. A run that is not
// terminal has no rows yet.
func (l *Ledger) Entities(ctx context.Context, runID string) ([]surgical.EntityRow, error) {
	var rows []surgical.EntityRow
	for item, err := range l.under(ctx, l.tables.SyncRunEntities, "run_id", runID) {
		if err != nil {
			return nil, fmt.Errorf("list entities of %s: %w", runID, err)
		}
		row, err := entityRowOf(item)
		if err != nil {
			return nil, fmt.Errorf("list entities of %s: %w", runID, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
