package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Outcome is how docs or embed ended.
type Outcome string

// The outcomes.
const (
	// Done: every job of this type has ended, the next state may begin. A job that
	// failed permanently makes the run fail when it is closed.
	Done Outcome = "done"
	// Closed: nothing of the run was left to do, so the end of its job closed it.
	Closed Outcome = "closed"
	// HandedOn: a new generation does the rest.
	HandedOn Outcome = "handed_on"
	// Yielded: another execution works on the run, or the run has ended.
	Yielded Outcome = "yielded"
	// Postponed: the sweeper starts the next generation later.
	Postponed Outcome = "postponed"
)

// Result is what the docs and embed functions answer.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// DocumentsRegenerated counts, of the whole run, the documents that are left to
	// embed.
	DocumentsRegenerated int64 `json:"documents_regenerated"`
	NoEmbed              bool  `json:"no_embed"`
	ChunksEmbedded       int64 `json:"chunks_embedded"`
}

// Transient is an error that may not occur again on another try. The state
// machine retries it by the name of this type.
type Transient struct{ Cause error }

// Error implements error.
func (t Transient) Error() string { return t.Cause.Error() }

// Unwrap returns the cause.
func (t Transient) Unwrap() error { return t.Cause }

// Permanent is an error that every other try would meet as well. Abort, which
// receives the name of this type, closes the run.
type Permanent struct{ Cause error }

// Error implements error.
func (p Permanent) Error() string { return p.Cause.Error() }

// Unwrap returns the cause.
func (p Permanent) Unwrap() error { return p.Cause }

const (
	// leaseMargin is how long a job's lease outlasts the function that took it.
	leaseMargin = 5 * time.Second
	// defaultLease is for a caller without a deadline, such as a test.
	defaultLease = 2 * time.Minute
)

// Meter counts what the jobs produced.
type Meter interface {
	// JobDone receives each job that is done, with its progress.
	JobDone(job surgical.Job)
}

// Runner does the jobs of one type of a run. All fields are required but Meter.
type Runner struct {
	Ledger   *ledger.Ledger
	Launcher *Launcher
	Work     Work
	Log      *slog.Logger
	Meter    Meter
}

// Handle implements the Lambda functions docs and embed. It is idempotent: jobs
// that are done are skipped, and if somebody else holds a job, it answers
// [Yielded].
func (r *Runner) Handle(ctx context.Context, in Input) (Result, error) {
	ctx = trace.With(ctx, in.TraceParent, in.RunID)
	defer logs.Panics(ctx, r.Log)
	run, err := r.Ledger.EnterStage(ctx, in.RunID, surgical.Stage(r.Work.Type()), in.Generation)
	if err != nil {
		return r.failed(ctx, in, err)
	}
	jobs, err := r.jobs(ctx, &run, in.Generation)
	if errors.Is(err, ErrOutOfTime) {
		return r.handOn(ctx, in, run)
	}
	if err != nil {
		return r.failed(ctx, in, err)
	}
	outcome := Done
	if run.Status.Terminal() {
		outcome = Closed
	}
	result := r.end(ctx, in, outcome)
	for _, job := range jobs {
		if job.RegeneratedAll || len(job.Regenerated) > 0 {
			result.DocumentsRegenerated += job.RegeneratedCount
		}
		result.ChunksEmbedded += job.ChunksEmbedded
	}
	result.NoEmbed = run.Options.NoEmbed || run.Options.NoDocs
	if outcome == Closed {
		run.LogClosed(ctx, r.Log, "generation", in.Generation)
	}
	return result, nil
}

// jobs does the run's jobs of this type and returns all of them, including those
// that failed permanently and those that another process has done. If the end of a job
// closed the run, run is as it was closed. A job that fails does not stop the others.
// jobs returns [ErrOutOfTime] if one was left unfinished for the next generation. If
// another one failed transiently, it does so only if this invocation got on: without
// that, generations would follow each other without a pause for as long as the failure
// lasts.
//
// Jobs that were claimed less often come first, so that one which kills its
// function does not keep the others from being done.
func (r *Runner) jobs(ctx context.Context, run *surgical.Run, generation int64) (ended []surgical.Job, err error) {
	if len(run.Targets) == 1 {
		// There is only one job of this type: claim it without listing the jobs.
		held, err := r.claim(ctx, surgical.Job{RunID: run.RunID, ID: ledger.JobID(r.Work.Type(), run.Targets[0])}, generation)
		if err == nil {
			job, err := r.do(ctx, run, held)
			return []surgical.Job{job}, err
		}
		if !errors.Is(err, surgical.ErrMoved) {
			return nil, err
		}
	}
	jobs, err := r.Ledger.Jobs(ctx, run.RunID)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(jobs, func(a, b surgical.Job) int { return cmp.Compare(a.Attempts, b.Attempts) })
	var failures []error
	gotOn := false
	for _, job := range jobs {
		if job.Type != r.Work.Type() {
			continue
		}
		before, err := job, error(nil)
		if job.Open() {
			job, err = r.claimAndDo(ctx, run, job, generation)
		}
		gotOn = gotOn || err == nil && before.Open() || progressed(before, job)
		switch {
		case err == nil:
			ended = append(ended, job)
		case errors.Is(err, ErrEnded):
			return nil, err
		case errors.Is(err, ErrOutOfTime) && gotOn:
			if why := errors.Join(failures...); why != nil {
				r.warn(ctx, run.RunID, generation, why)
			}
			return nil, err
		case endsStage(err):
			return nil, cmp.Or(errors.Join(failures...), err)
		default:
			failures = append(failures, err)
		}
	}
	return ended, errors.Join(failures...)
}

// progressed reports whether the work did a part of the job.
func progressed(before, after surgical.Job) bool {
	return after.Cursor != before.Cursor || after.DocumentsWritten > before.DocumentsWritten || after.ChunksEmbedded > before.ChunksEmbedded
}

func (r *Runner) claimAndDo(ctx context.Context, run *surgical.Run, job surgical.Job, generation int64) (surgical.Job, error) {
	held, err := r.claim(ctx, job, generation)
	if err != nil {
		return job, err
	}
	return r.do(ctx, run, held)
}

// endsStage reports whether the error leaves nothing to do for this execution,
// whatever the other jobs are.
func endsStage(err error) bool {
	return errors.Is(err, ErrOutOfTime) || errors.Is(err, ErrEnded) || errors.Is(err, surgical.ErrMoved)
}

// claim claims the job if there is time for a batch of it.
func (r *Runner) claim(ctx context.Context, job surgical.Job, generation int64) (surgical.Job, error) {
	if !timeLeft(ctx)() {
		return job, ErrOutOfTime
	}
	return r.Ledger.ClaimJob(ctx, job, generation, lease(ctx))
}

// do does the claimed job and returns it with its progress. If nothing of the run is left
// then, it is closed, and run shows that. A job that no time is left for, or whose failure
// may not occur again, is given back. One that failed permanently is returned as such,
// without an error.
func (r *Runner) do(ctx context.Context, run *surgical.Run, job surgical.Job) (surgical.Job, error) {
	job.Error = nil
	done, err := r.work(ctx, *run, &job)
	switch {
	case errors.Is(err, ErrEnded):
		return job, err
	case errors.Is(err, ErrOutOfTime):
		if _, err := r.Ledger.HandOn(ctx, job); err != nil {
			return r.failedJob(context.WithoutCancel(ctx), *run, job, err)
		}
		return job, err
	case err != nil:
		return r.failedJob(context.WithoutCancel(ctx), *run, job, err)
	}
	after, finished, err := r.Ledger.FinishJob(ctx, *run, job, done)
	if err != nil {
		return r.failedJob(context.WithoutCancel(ctx), *run, job, err)
	}
	*run, job = after, finished
	r.Log.InfoContext(ctx, "job_done", "run_id", run.RunID, "project_id", run.ProjectID, "type", string(job.Ref.Type), "iid", job.Ref.IID,
		"stage", r.Work.Type(), "documents_written", job.DocumentsWritten, "documents_regenerated", job.RegeneratedCount, "chunks_embedded", job.ChunksEmbedded)
	if r.Meter != nil {
		r.Meter.JobDone(job)
	}
	return job, nil
}

// work does the job. A panic is logged and fails this job permanently.
func (r *Runner) work(ctx context.Context, run surgical.Run, job *surgical.Job) (done ledger.Done, err error) {
	defer func() {
		var p *surgical.Panic
		if errors.As(err, &p) {
			logs.Panic(ctx, r.Log, p, "run_id", run.RunID, "project_id", run.ProjectID, "type", string(job.Ref.Type), "iid", job.Ref.IID, "stage", r.Work.Type())
		}
	}()
	defer surgical.Recover(&err)
	return r.Work.Do(ctx, run, job, r.budget(ctx, run.RunID))
}

// failedJob records why the job failed and ends its claim, so that another try
// does not have to wait for the lease. A permanent failure is the job's end; any
// other is returned.
func (r *Runner) failedJob(ctx context.Context, run surgical.Run, job surgical.Job, cause error) (surgical.Job, error) {
	job.Error = r.reason(run.RunID, cause)
	if job.Error.Retryable {
		_, err := r.Ledger.HandOn(ctx, job)
		if errors.Is(err, surgical.ErrMoved) {
			err = nil // the job was aborted, or somebody else claimed it
		}
		return job, errors.Join(cause, err)
	}
	if err := r.Ledger.FailJob(ctx, job); err != nil {
		return job, fmt.Errorf("record the failure of job %s: %w", job.ID, err)
	}
	job.Status = surgical.JobFailed
	r.Log.WarnContext(ctx, "job_failed", "run_id", run.RunID, "project_id", run.ProjectID, "type", string(job.Ref.Type), "iid", job.Ref.IID,
		"stage", r.Work.Type(), "code", job.Error.Code, "error", cause.Error())
	return job, nil
}

// reason returns the failure of a job for its row. An untyped error gets the
// code of the stage; a panic stays internal and permanent.
func (r *Runner) reason(runID string, cause error) *surgical.Error {
	why := surgical.AsError(cause)
	if why.Code != surgical.CodeInternal || !why.Retryable {
		return outage.AsError(cause)
	}
	e := surgical.StageError(runID, surgical.Stage(r.Work.Type()))
	e.Message += "; the logs hold the cause"
	if dynamo.Invalid(cause) {
		e.Retryable, e.Action = false, surgical.ActionContactOperator
	}
	return e
}

// handOn launches the next generation, which does what is left.
func (r *Runner) handOn(ctx context.Context, in Input, run surgical.Run) (Result, error) {
	next := max(in.Generation, run.Generation) + 1
	if err := r.Launcher.Launch(ctx, run, next, false); err != nil {
		return Result{}, Transient{err}
	}
	return r.end(ctx, in, HandedOn), nil
}

// failed returns [Yielded] if the run has ended or another process works on it.
// For any other error, the code decides.
func (r *Runner) failed(ctx context.Context, in Input, err error) (Result, error) {
	if errors.Is(err, surgical.ErrMoved) || errors.Is(err, ErrEnded) {
		return r.end(ctx, in, Yielded), nil
	}
	r.warn(ctx, in.RunID, in.Generation, err)
	if outage.AsError(err).Retryable {
		return Result{}, Transient{err}
	}
	return Result{}, Permanent{fmt.Errorf("%s of run %s: %w", r.Work.Type(), in.RunID, err)}
}

func (r *Runner) warn(ctx context.Context, runID string, generation int64, err error) {
	r.Log.WarnContext(ctx, "stage_failed", "run_id", runID, "stage", r.Work.Type(), "generation", generation, "error", err.Error())
}

func (r *Runner) end(ctx context.Context, in Input, outcome Outcome) Result {
	r.Log.InfoContext(ctx, "stage_ended", "run_id", in.RunID, "stage", r.Work.Type(), "generation", in.Generation, "outcome", outcome)
	return Result{Outcome: outcome}
}

// budget is what one job may spend in this invocation.
func (r *Runner) budget(ctx context.Context, runID string) *Budget {
	return &Budget{
		TimeLeft: timeLeft(ctx),
		MayGoOn: func(ctx context.Context) error {
			run, err := r.Ledger.Run(ctx, runID)
			if err == nil && run.Status != surgical.StatusRunning {
				return ErrEnded
			}
			return err
		},
	}
}

// timeLeft returns a function that reports whether there is time for another
// batch.
func timeLeft(ctx context.Context) func() bool {
	deadline, ok := ctx.Deadline()
	return func() bool { return !ok || time.Until(deadline) > surgical.HandOnReserve }
}

// lease is how long a job is claimed for: a little longer than the function runs.
func lease(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline) + leaseMargin
	}
	return defaultLease
}
