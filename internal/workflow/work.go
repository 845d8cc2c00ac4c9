package workflow

import (
	"context"
	"errors"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Work does one job. [Documents] does docs jobs, [Embeddings] embed jobs.
type Work interface {
	// Type is the type of job that this does.
	Type() surgical.JobType
	// Do works on the job and returns what finishing it records. It calls
	// budget.Next before each batch, and returns the error of that call as it is:
	// after [ErrOutOfTime] the next generation goes on behind job.Cursor.
	//
	// Do notes its progress in the job, so that the caller can store it also when
	// Do fails.
	Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *Budget) (ledger.Done, error)
}

var (
	// ErrOutOfTime is returned for a job that is unfinished because too little
	// time is left for another batch.
	ErrOutOfTime = errors.New("no time is left for another batch")
	// ErrEnded is returned for a job whose run has ended in the meantime, for
	// example because it was cancelled. Closing the run has aborted the job.
	ErrEnded = errors.New("the run has ended")
)

// Budget is what a [Work] may spend on one job in one invocation.
type Budget struct {
	// TimeLeft reports whether there is time for another batch.
	TimeLeft func() bool
	// MayGoOn returns nil while the run is running, and [ErrEnded] once it is not.
	MayGoOn func(context.Context) error

	begun bool
}

// Next returns nil if the next batch may begin. The error is [ErrOutOfTime],
// [ErrEnded], or one that kept MayGoOn from its answer.
//
// The first batch does not ask MayGoOn: the job was claimed just before, which
// fails once the run has ended, because closing a run aborts its open jobs in
// the same transaction. A job of one batch therefore costs no extra read.
func (b *Budget) Next(ctx context.Context) error {
	if !b.TimeLeft() {
		return ErrOutOfTime
	}
	if !b.begun {
		b.begun = true
		return nil
	}
	return b.MayGoOn(ctx)
}
