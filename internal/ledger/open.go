package ledger

import (
	"cmp"
	"context"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Open returns the runs that have not ended, those open longest first, and
// whether there are more: it reads up to most of either status.
func (l *Ledger) Open(ctx context.Context, most int) (runs []surgical.Run, more bool, err error) {
	var places []RunPlace
	for _, status := range []surgical.RunStatus{surgical.StatusQueued, surgical.StatusRunning} {
		n := 0
		for id, err := range l.OpenRuns(ctx, status, l.clock()) {
			if err != nil {
				return nil, false, err
			}
			if n++; n > most {
				more = true
				break
			}
			places = append(places, RunPlace{RunID: id})
		}
	}
	// The index may hold a run that was just claimed in both statuses.
	slices.SortFunc(places, func(a, b RunPlace) int { return cmp.Compare(a.RunID, b.RunID) })
	rows, err := l.rows(ctx, slices.Compact(places))
	if err != nil {
		return nil, false, err
	}
	for _, run := range rows {
		if !run.Status.Terminal() {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b surgical.Run) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.RunID, b.RunID))
	})
	return runs, more, nil
}
