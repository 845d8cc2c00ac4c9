package surgical

import (
	"context"
	"errors"
	"time"
)

// ErrMoved is what a [Ledger] answers when a row is no longer as it was read,
// so that nothing was written: read it again.
var ErrMoved = errors.New("the row is no longer as it was read")

// Ledger is what a worker needs of the run ledger. Every change is made under
// the condition that the run is still as it was read; otherwise the error is
// [ErrMoved] and nothing was written.
type Ledger interface {
	// Run reads a run, strongly consistent. An unknown one gives
	// [CodeRunNotFound].
	Run(ctx context.Context, runID string) (Run, error)
	// Claim takes the run for one attempt: it inserts the row, or moves one that
	// is queued, given back or whose lease expired to running. Seen is the row as
	// it was read; a zero Status means that there was none.
	Claim(ctx context.Context, seen Run, claim Claim) (Run, error)
	// NextAttempt begins another attempt of the same worker under a fresh lease.
	NextAttempt(ctx context.Context, run Run, lease time.Duration) (Run, error)
	// EnterIngest moves the run from preflight to ingest.
	EnterIngest(ctx context.Context, run Run, requests int64) (Run, error)
	// Release gives the lease back after an attempt that failed for why, and
	// that sent so many requests to GitLab.
	Release(ctx context.Context, run Run, why *Error, requests int64) error
	// Retry makes the run that retries a failed or cancelled one, or returns the
	// one made before.
	Retry(ctx context.Context, run Run, req Request, messageID string) (Run, error)
	// Close makes the run terminal; see [Closing].
	Close(ctx context.Context, runID string, closing Closing) (Run, error)
	// WorkflowStarted records that the run's execution of this generation was
	// started. Clean tells that no staged child can be an orphan.
	WorkflowStarted(ctx context.Context, run Run, generation int64, clean bool) error
	// Drain takes over what earlier runs of the run's entities left dirty.
	Drain(ctx context.Context, run Run) (Run, error)
	// Pause returns until when no worker may ask GitLab; zero for no pause.
	Pause(ctx context.Context) (time.Time, error)
	// SetPause lets all workers wait; it never shortens a pause.
	SetPause(ctx context.Context, until time.Time) error
}

// Claim is what taking a run records.
type Claim struct {
	// Request is used for a row that does not exist yet.
	Request Request
	// MessageID is the queue's id of the message that asks for the run.
	MessageID string
	Lease     time.Duration
}

// Closing makes a run terminal, its open jobs aborted and its entity rows
// written, in one transaction.
type Closing struct {
	Status RunStatus
	// Error is set unless the run succeeds.
	Error *Error
	// Attempt, when set, restricts the closing to a run that this attempt holds
	// and that nothing is committed of: giving up never undoes a commit.
	Attempt int64
	// CoalescedWith is the run whose fetch covered the event.
	CoalescedWith string
	// Previews are what a preflight_only run found.
	Previews map[Target]Preview
	// Requests adds to the counter of requests to GitLab.
	Requests int64
	// Clean tells that nothing that this run staged can be an orphan. Else the
	// orphan sweeper looks at the run's entities a while after its end.
	Clean bool
}

// ErrOpenJobs is the answer to a closing as succeeded while not every job is
// done.
var ErrOpenJobs = errors.New("not every job is done")
