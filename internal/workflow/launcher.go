package workflow

import (
	"context"
	"errors"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Launcher starts the executions of committed runs. The worker launches the
// first generation, a [Runner] that hands work on the next one, and the sweeper
// the first one again if nobody recorded it.
type Launcher struct {
	Starter *Starter
	Ledger  *ledger.Ledger
}

// Launch starts an execution of this generation and then records it in the run
// row. Clean tells that no staged child of the run can be an orphan.
//
// A caller that dies between the two steps leaves an execution that the row does
// not know. The execution's docs state records the generation itself
// ([ledger.Ledger.EnterStage]). Until then another caller may start the same
// generation again: both executions work on the same jobs, each job is done by
// the one that claims it, and the other one yields. Recording first would be
// worse, because a crash would leave a row that waits for an execution that
// nobody started.
//
// Launch returns nil if the start could not be recorded because the run has
// ended, or is already in a newer generation.
func (l *Launcher) Launch(ctx context.Context, run surgical.Run, generation int64, clean bool) error {
	if err := l.Starter.Start(ctx, run.RunID, generation); err != nil {
		return err
	}
	if err := l.Ledger.WorkflowStarted(ctx, run, generation, clean); err != nil && !errors.Is(err, surgical.ErrMoved) {
		return err
	}
	return nil
}
