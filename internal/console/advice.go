package console

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// advice is one thing that can be done, with the command for it.
type advice struct {
	Text string
	// Command is of the lore CLI; "" for what no command does.
	Command string
}

// entityFlags name targets to lore: "-p 1 --issue 7 --mr 12".
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

// tryCommand asks GitLab and writes nothing.
func tryCommand(projectID int64, targets ...surgical.Target) string {
	return "lore sync " + entityFlags(projectID, targets) + " --preflight-only --wait"
}

func followCommand(runID string) string { return "lore sync-runs --run-id " + runID + " --wait" }
func retryCommand(runID string) string {
	return "lore sync-runs --run-id " + runID + " --retry-failed --wait"
}
func cancelCommand(runID string) string { return "lore sync-runs --run-id " + runID + " --cancel" }

// remedy says what an action means to a person.
func remedy(action surgical.Action) string {
	switch action {
	case surgical.ActionFixRequest:
		return "Correct the request and send it again."
	case surgical.ActionCheckToken:
		return "Put a valid token with the scope read_api into the token's secret."
	case surgical.ActionGrantAccess:
		return "Give the token's user access to the project."
	case surgical.ActionVerifyIID:
		return "Check in GitLab that it exists, and that the token's user sees it."
	case surgical.ActionRetryAfter:
		return "Wait: GitLab is out of reach or asks for patience."
	case surgical.ActionRetryFailed:
		return "Retry what failed."
	}
	return "Look for the run's id in the functions' logs: they name the cause."
}

// adviceFor lists what can be done about the run.
func adviceFor(run surgical.Run, rows []surgical.EntityRow, jobs []surgical.Job) []advice {
	switch run.Status {
	case surgical.StatusQueued, surgical.StatusRunning:
		all := []advice{{"Follow it to its end.", followCommand(run.RunID)}, {"Stop it.", cancelCommand(run.RunID)}}
		if run.Error != nil && run.Status == surgical.StatusRunning {
			all = slices.Insert(all, 0, advice{Text: remedy(waitsFor(run.Error)) + " It tries again by itself, up to 6 hours after its first attempt."})
		}
		return all
	case surgical.StatusSucceeded:
		return []advice{{"See what is stored now.", showCommand(run.Refs()[0])}}
	}
	if run.RetriedBy != "" {
		return []advice{{"It was retried. Follow the retry to its end.", followCommand(run.RetriedBy)}}
	}
	var all []advice
	hopeless, done := hopelessTargets(run), map[surgical.Action]bool{}
	for _, failure := range failuresOf(run) {
		// What a retry does by itself needs no words.
		if a := failure.Action; !done[a] && a != surgical.ActionRetryFailed && a != surgical.ActionRetryAfter {
			done[a] = true
			all = append(all, advice{Text: remedy(a)})
		}
	}
	if canRetry(rows, jobs) {
		text := "Retry what failed."
		if len(hopeless) > 0 {
			text = "Retry the others: what GitLab does not have is left out."
		}
		all = append(all, advice{text, retryCommand(run.RunID)})
	}
	if len(hopeless) > 0 {
		all = append(all, advice{"Ask GitLab again, and write nothing.", tryCommand(run.ProjectID, hopeless...)})
	}
	return all
}

// waitsFor is the action of what a waiting run waits for.
func waitsFor(e *surgical.Error) surgical.Action {
	if len(e.Failures) > 0 {
		return e.Failures[0].Action
	}
	return e.Action
}

// failuresOf are the run's failures by target; of one that failed as a whole,
// that one without a target.
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

// hopelessTargets are those that no retry of the run brings back.
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

// canRetry reports whether `lore sync-runs --retry-failed` finds anything to
// do, by the rule of the API.
func canRetry(rows []surgical.EntityRow, jobs []surgical.Job) bool {
	return slices.ContainsFunc(rows, func(row surgical.EntityRow) bool {
		return row.Status == surgical.EntityFailed && row.Code.CanSucceedLater()
	}) || slices.ContainsFunc(jobs, func(job surgical.Job) bool {
		return job.Status == surgical.JobAborted || job.Status == surgical.JobFailed
	})
}
