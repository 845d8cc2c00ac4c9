package advice

import (
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// OfRun returns what can be done about the run. rows are the outcomes of its targets, and
// undone means that some of its jobs were left undone.
func OfRun(run surgical.Run, rows []surgical.EntityRow, undone bool) []Step {
	switch run.Status {
	case surgical.StatusQueued, surgical.StatusRunning:
		all := []Step{{"Follow the run until it ends.", Watch(run.RunID)}, {"Cancel it.", Cancel(run.RunID)}}
		if run.Error != nil && run.Status == surgical.StatusRunning {
			all = slices.Insert(all, 0, Step{Text: Remedy(waitsFor(run.Error)) + " The run retries automatically for up to 6 hours after its first attempt."})
		}
		return all
	case surgical.StatusSucceeded:
		if run.Options.PreflightOnly {
			return []Step{{"Nothing was written. Bring the copy up to date.", Sync(run.Refs()[0])}}
		}
		return []Step{{"Show the stored copy.", Show(run.Refs()[0])}}
	}
	if run.RetriedBy != "" {
		return []Step{{"This run was retried. Follow the retry until it ends.", Watch(run.RetriedBy)}}
	}
	failures := Failures(run)
	var missing []surgical.Target
	if run.Error != nil {
		missing = missingTargets(run.Error.Failures)
	}
	all := remedies(failures)
	if CanRetry(rows, undone) {
		all = append(all, retryOf(run.RunID, len(missing)))
	}
	if len(missing) > 0 {
		all = append(all, Step{"Check GitLab again without writing anything.", Try(run.ProjectID, missing...)})
	}
	return all
}

// waitsFor returns the action for the error that a run waits on.
func waitsFor(e *surgical.Error) surgical.Action {
	if len(e.Failures) > 0 {
		return e.Failures[0].Action
	}
	return e.Action
}

// Failures returns the run's failures by target. For a run that failed as a
// whole, it returns one failure without a target.
func Failures(run surgical.Run) []surgical.TargetFailure {
	switch e := run.Error; {
	case e == nil:
		return nil
	case len(e.Failures) > 0:
		return e.Failures
	default:
		return []surgical.TargetFailure{{Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable}}
	}
}

// missingTargets returns the targets that no retry can fetch.
func missingTargets(failures []surgical.TargetFailure) (targets []surgical.Target) {
	for _, failure := range failures {
		if !failure.Code.CanSucceedLater() {
			targets = append(targets, failure.Target)
		}
	}
	return targets
}

// CanRetry reports whether a retry has anything to do. It applies the API's rule. undone
// means that jobs of the run were left undone.
func CanRetry(rows []surgical.EntityRow, undone bool) bool {
	return undone || slices.ContainsFunc(rows, func(row surgical.EntityRow) bool {
		return row.Status == surgical.EntityFailed && row.Code.CanSucceedLater()
	})
}
