package surgical

// Ending is one of the ways in which a run becomes terminal. The ledger turns
// it into one transaction: the run row, its open jobs (aborted) and its entity
// rows. The implementations below are the complete list.
type Ending interface{ ending() }

// Succeeded ends a committed run whose jobs have all ended. If a job failed, the
// run ends as failed instead, with a failure for each target whose documents or
// embeddings were left undone. With an open job it is refused with [ErrOpenJobs].
type Succeeded struct {
	// Clean reports that whatever this run staged is named by a head or already
	// expires, so that the orphan sweeper has nothing to look for. It adds to
	// what the run row knows; it never overrides a stage that was repeated.
	Clean bool
}

// Coalesced ends a run that needed no request to GitLab, because the fetch of
// another run covers its event.
type Coalesced struct {
	// Attempt restricts the ending to a run that this attempt holds and that has
	// committed nothing.
	Attempt int64
	// With is the id of the covering run.
	With string
}

// Previewed ends a preflight_only run whose preflight succeeded.
type Previewed struct {
	Attempt  int64
	Previews map[Target]Preview
	// Requests is the number of requests sent to GitLab that the row does not
	// count yet.
	Requests int64
}

// GivenUp ends a run that its own attempt could not commit. It never undoes a
// commit: once anything is committed, the ending is refused with [ErrMoved].
type GivenUp struct {
	Attempt int64
	Error   *Error
	Missing Missing
	// Previews are what a preflight_only run found of the targets that did not
	// fail.
	Previews map[Target]Preview
	Requests int64
}

// Missing is what follows from targets that GitLab did not have.
type Missing struct {
	// FollowUp, if set, fetches the entity of an event again later.
	FollowUp *FollowUp
	// Hides are the runs that hide those targets that have a copy.
	Hides []Request
}

// Lost ends a run whose workers died. A dead worker may still be writing under
// Attempt, so what it staged is left to the orphan sweeper.
type Lost struct {
	Attempt int64
	Error   *Error
}

// Failed ends a committed run whose workflow failed. What was committed stays.
// The ledger adds a failure for each target with a job that is not done.
type Failed struct{ Error *Error }

// Cancelled ends a run by request, whatever it is doing.
type Cancelled struct{ Error *Error }

func (Succeeded) ending() {}
func (Coalesced) ending() {}
func (Previewed) ending() {}
func (GivenUp) ending()   {}
func (Lost) ending()      {}
func (Failed) ending()    {}
func (Cancelled) ending() {}
