// Package advice says what to do about a failure, a run or a project: one sentence, and
// the lore command for it. The program, the console and the dashboard's widget say the
// same.
package advice

import (
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Step is a suggested action.
type Step struct {
	// Text is one sentence, or two.
	Text string `json:"text"`
	// Command is the command for it, mostly one of lore, or "" if there is none.
	Command string `json:"command,omitempty"`
}

// String is the step on one line.
func (s Step) String() string {
	if s.Command == "" {
		return s.Text
	}
	return strings.TrimSuffix(s.Text, ".") + ": " + s.Command
}

// Remedy describes an action for people.
func Remedy(action surgical.Action) string {
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

// OfCode returns what to do about a failed request of which only the code matters; false
// for any other.
func OfCode(code surgical.Code) (Step, bool) {
	step, ok := map[surgical.Code]Step{
		surgical.CodeProjectNotAllowed:     {"These are the projects that this stack copies.", ProjectsCommand},
		surgical.CodeProjectUnknown:        {"These are the projects that this stack copies.", ProjectsCommand},
		surgical.CodeRunNotFound:           {"Runs are kept for 90 days after they end. A webhook's run appears once a worker has claimed it.", RunsCommand},
		surgical.CodeBackfillNotFound:      {"These are the backfills that are known.", BackfillsCommand},
		surgical.CodeEntityNotFound:        {"Nothing is stored under this number, or it is not shown.", ""},
		surgical.CodeEntityGone:            {"GitLab no longer shows it. It comes back if GitLab shows it again.", ""},
		surgical.CodeFeedRestarted:         {"Changes may have been lost: read everything again, and follow the changes from there.", ExportCommand},
		surgical.CodeIndexNotReady:         {"It is built within minutes of the first copy. Lists and pages need no index.", IndexCommand},
		surgical.CodeDependencyUnavailable: {"Send the request again in a few seconds; if that does not help, the functions' logs name what is out of reach.", ErrorsCommand},
		surgical.CodeQueueUnavailable:      {"Send the request again in a minute; if that does not help, SQS is unavailable.", ""},
		apiclient.CodeUnavailable:          {"Check that the stack is running (make up starts the local one), and that the URL is right.", DoctorCommand},
		apiclient.CodeForbidden:            {"Renew the AWS credentials of the program, then start it again.", DoctorCommand},
	}[code]
	return step, ok
}

// OfError returns what to do about an error: of each of its targets, and of its run.
func OfError(e *surgical.Error) []Step {
	if step, ok := OfCode(e.Code); ok {
		return []Step{step}
	}
	if e.Action == surgical.ActionRetryFailed && e.RunID != "" {
		all := remedies(e.Failures)
		if hopeless := len(missingTargets(e.Failures)); hopeless < max(e.Total, 1) {
			all = append(all, retryOf(e.RunID, hopeless))
		}
		return all
	}
	switch {
	case e.RetryAfter > 0:
		return []Step{{Text: fmt.Sprintf("Try again in %d s.", e.Seconds())}}
	case e.Action == surgical.ActionContactOperator && e.RunID == "":
		return []Step{{"Find the cause in the functions' logs.", ErrorsCommand}}
	case e.Action == surgical.ActionContactOperator:
		return []Step{{Remedy(e.Action), Logs(e.RunID)}}
	}
	return []Step{{Text: Remedy(e.Action)}}
}

// remedies says what to do about failures, except those that a retry takes care of.
func remedies(failures []surgical.TargetFailure) []Step {
	var all []Step
	done := map[surgical.Action]bool{surgical.ActionRetryFailed: true, surgical.ActionRetryAfter: true}
	for _, failure := range failures {
		if !done[failure.Action] {
			done[failure.Action] = true
			all = append(all, Step{Text: Remedy(failure.Action)})
		}
	}
	return all
}

func retryOf(runID string, hopeless int) Step {
	text := "Retry the failed targets."
	if hopeless > 0 {
		text = "Retry the other targets, without those that GitLab does not have."
	}
	return Step{text, Retry(runID)}
}
