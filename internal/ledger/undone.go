package ledger

import (
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// undone is why a committed target has no current documents or embeddings.
type undone struct {
	// stage is the one that did not get done.
	stage   surgical.Stage
	failure surgical.TargetFailure
}

// withJobs adds what the run's jobs have to say to the closing: a run with a
// failed job fails, and a failure of the workflow becomes one of each target
// that it left undone.
func (c closing) withJobs(run surgical.Run, jobs []surgical.Job) closing {
	c.warnings = map[surgical.Target][]string{}
	for _, job := range jobs {
		if job.Type == surgical.JobDocs {
			c.warnings[job.Ref.Target] = job.Warnings
		}
	}
	c.undone = c.undoneBy(run, jobs)
	if len(c.undone) == 0 || c.status == surgical.StatusCancelled {
		return c
	}
	var failures []surgical.TargetFailure
	stage := surgical.StageEmbed
	for _, target := range run.Targets {
		left, ok := c.undone[target]
		if !ok {
			continue
		}
		failures = append(failures, left.failure)
		if left.stage == surgical.StageDocs {
			stage = surgical.StageDocs
		}
	}
	if c.status == surgical.StatusSucceeded {
		c.status, c.stage, c.err = surgical.StatusFailed, stage, surgical.StageError(run.RunID, stage)
	}
	c.err = c.err.With(len(run.Targets), failures)
	return c
}

// undoneBy maps each target with a failed or open job to the reason. An open job
// whose last try failed names that failure; any other was stopped by what ends
// the run.
func (c closing) undoneBy(run surgical.Run, jobs []surgical.Job) map[surgical.Target]undone {
	left := map[surgical.Target]undone{}
	for _, job := range jobs {
		if !job.Open() && job.Status != surgical.JobFailed {
			continue
		}
		stage := surgical.Stage(job.Type)
		why := job.Error
		switch {
		case why != nil:
		case c.status == surgical.StatusCancelled:
			why = c.err
		default:
			// Also a job that an older version failed, without recording why.
			why = surgical.StageError(run.RunID, stage)
		}
		left[job.Ref.Target] = undone{stage, surgical.TargetFailure{
			Target: job.Ref.Target, Code: why.Code, Message: why.Message, Action: why.Action, Retryable: why.Retryable,
		}}
	}
	return left
}
