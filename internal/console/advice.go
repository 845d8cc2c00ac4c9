package console

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// advice is a suggested action.
type advice struct {
	Text string
	// Command is the lore command for it, or "" if there is none.
	Command string
}

// entityFlags returns the lore flags for targets: "-p 1 --issue 7 --mr 12".
func entityFlags(projectID int64, targets []surgical.Target) string {
	flags := []string{fmt.Sprintf("-p %d", projectID)}
	for _, t := range targets {
		flag := "--issue"
		if t.Type == surgical.MergeRequest {
			flag = "--mr"
		}
		flags = append(flags, fmt.Sprintf("%s %d", flag, t.IID))
	}
	return strings.Join(flags, " ")
}

func showCommand(ref surgical.EntityRef) string {
	return "lore show " + entityFlags(ref.ProjectID, []surgical.Target{ref.Target})
}

func syncCommand(ref surgical.EntityRef) string {
	return "lore sync " + entityFlags(ref.ProjectID, []surgical.Target{ref.Target}) + " --wait"
}

// tryCommand returns the command that fetches from GitLab and writes nothing.
func tryCommand(projectID int64, targets ...surgical.Target) string {
	return "lore sync " + entityFlags(projectID, targets) + " --preflight-only --wait"
}

func drainCommand(projectID int64) string { return fmt.Sprintf("lore drain -p %d", projectID) }

func followCommand(runID string) string { return "lore sync-runs --run-id " + runID + " --wait" }
func retryCommand(runID string) string {
	return "lore sync-runs --run-id " + runID + " --retry-failed --wait"
}
func cancelCommand(runID string) string { return "lore sync-runs --run-id " + runID + " --cancel" }

// remedy describes an action for people.
func remedy(action surgical.Action) string {
	switch action {
	case surgical.ActionFixRequest:
		return "Correct the request and send it again."
	case surgical.ActionCheckToken:
		return "Store a valid token with the read_api scope in the token's secret."
	case surgical.ActionGrantAccess:
		return "Give the token's user access to the project."
	case surgical.ActionVerifyIID:
		return "Check in GitLab that it exists and that the token's user can see it."
	case surgical.ActionRetryAfter:
		return "Wait: GitLab is unavailable or limits the request rate."
	case surgical.ActionRetryFailed:
		return "Retry the failed targets."
	}
	return "Search the functions' logs for the run id to find the cause."
}

// adviceFor returns what can be done about the run. undone means that some of its jobs
// were left undone.
func adviceFor(run surgical.Run, rows []surgical.EntityRow, undone bool) []advice {
	switch run.Status {
	case surgical.StatusQueued, surgical.StatusRunning:
		all := []advice{{"Follow the run until it ends.", followCommand(run.RunID)}, {"Cancel it.", cancelCommand(run.RunID)}}
		if run.Error != nil && run.Status == surgical.StatusRunning {
			all = slices.Insert(all, 0, advice{Text: remedy(waitsFor(run.Error)) + " The run retries automatically for up to 6 hours after its first attempt."})
		}
		return all
	case surgical.StatusSucceeded:
		return []advice{{"Show the stored copy.", showCommand(run.Refs()[0])}}
	}
	if run.RetriedBy != "" {
		return []advice{{"This run was retried. Follow the retry until it ends.", followCommand(run.RetriedBy)}}
	}
	var all []advice
	hopeless, done := hopelessTargets(run), map[surgical.Action]bool{}
	for _, failure := range failuresOf(run) {
		// A retry by itself takes care of these two.
		if a := failure.Action; !done[a] && a != surgical.ActionRetryFailed && a != surgical.ActionRetryAfter {
			done[a] = true
			all = append(all, advice{Text: remedy(a)})
		}
	}
	if canRetry(rows, undone) {
		text := "Retry the failed targets."
		if len(hopeless) > 0 {
			text = "Retry the other targets, without those that GitLab does not have."
		}
		all = append(all, advice{text, retryCommand(run.RunID)})
	}
	if len(hopeless) > 0 {
		all = append(all, advice{"Check GitLab again without writing anything.", tryCommand(run.ProjectID, hopeless...)})
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

// failuresOf returns the run's failures by target. For a run that failed as a
// whole, it returns one failure without a target.
func failuresOf(run surgical.Run) []surgical.TargetFailure {
	if run.Error == nil || len(run.Error.Failures) > 0 {
		if run.Error == nil {
			return nil
		}
		return run.Error.Failures
	}
	e := run.Error
	return []surgical.TargetFailure{{Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable}}
}

// hopelessTargets returns the targets that no retry of the run can fetch.
func hopelessTargets(run surgical.Run) []surgical.Target {
	var targets []surgical.Target
	if run.Error == nil {
		return nil
	}
	for _, failure := range run.Error.Failures {
		if !failure.Code.CanSucceedLater() {
			targets = append(targets, failure.Target)
		}
	}
	return targets
}

// canRetry reports whether `lore sync-runs --retry-failed` has anything to do. It
// applies the API's rule. undone means that jobs of the run were.
func canRetry(rows []surgical.EntityRow, undone bool) bool {
	return undone || slices.ContainsFunc(rows, func(row surgical.EntityRow) bool {
		return row.Status == surgical.EntityFailed && row.Code.CanSucceedLater()
	})
}

// undone reports whether jobs were left undone.
func undone(jobs []surgical.Job) bool {
	return slices.ContainsFunc(jobs, func(job surgical.Job) bool {
		return job.Status == surgical.JobAborted || job.Status == surgical.JobFailed
	})
}
