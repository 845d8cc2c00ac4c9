package surgical

import "context"

// Ingester writes content: it stages what is new of the snapshots and makes
// all of them visible in one transaction, together with the run's dirty
// sources and jobs, or nothing at all.
type Ingester interface {
	Ingest(ctx context.Context, run Run, snaps []Snapshot) (Ingested, error)
}

// Ingested is how an ingest came out. If nothing was committed, at least one of
// Moved and Refetch says what to do about it.
type Ingested struct {
	// Run is the run's row as read after the commit; committed unless Moved or
	// Refetch is set.
	Run Run
	// Moved tells that a head moved while the children were staged: the same
	// snapshots may be tried by another attempt.
	Moved bool
	// Refetch names targets that the guard refused although their head does not
	// cover the run's event.
	Refetch []EntityRef
	// Cleanup lets superseded children expire. It is nil if this attempt
	// committed nothing.
	Cleanup func(context.Context) error
}
