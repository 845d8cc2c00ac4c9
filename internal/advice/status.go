package advice

import (
	"cmp"
	"fmt"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// OfStatus returns what to do about the state of a stack, the most urgent first.
func OfStatus(s apiclient.Status) []Step {
	var all []Step
	if p := s.GitLab.Pause; p != nil {
		all = append(all, OfPause(p.Code))
	}
	for _, q := range s.Queues {
		switch {
		case q.Waiting+q.Received == 0:
		case q.Name == "dead-letters":
			all = append(all, Step{"Messages were given up; their runs say why.", FailedCommand})
		case q.Name == "feed-failures":
			all = append(all, Step{Text: "Changes did not reach the change feed: see the runbook feed-behind."})
		}
	}
	if s.Runs.Failed.Count > 0 {
		all = append(all, Step{"Look at the runs that failed.", FailedCommand})
	}
	all = append(all, OfProjects(s.Projects.Attention)...)
	if s.Index.Status == "absent" && s.Projects.Complete > 0 {
		all = append(all, Step{"Build the search index.", "lore index rebuild"})
	}
	return distinct(all)
}

// PauseCause says why nothing is sent to GitLab.
func PauseCause(code surgical.Code) string {
	switch code {
	case "":
		return "an earlier version set it"
	case surgical.CodeInternal: // see [surgical.Error.PauseReason]
		return "the token could not be read from its secret"
	}
	return code.Means()
}

// OfPause returns what to do about a pause with this cause.
func OfPause(code surgical.Code) Step {
	if code == surgical.CodeInternal {
		return Step{Text: "Store a valid token in the token's secret, which must not be scheduled for deletion."}
	}
	return Step{Text: Remedy(surgical.NewError(code, "").Action)}
}

// OfProjects returns what to do about projects that someone should look at: for each kind
// of trouble, the first that has it.
func OfProjects(projects []apiclient.ProjectAttention) []Step {
	var unseen, hook, incomplete, except []Step
	for _, p := range projects {
		switch {
		case !p.UnseenSince.IsZero():
			unseen = append(unseen, Step{Text: fmt.Sprintf("Give the token's user access to project %s.", cmp.Or(p.Path, strconv.FormatInt(p.ProjectID, 10)))})
		case p.Unreadable > 0:
			incomplete = append(incomplete, Step{"Records of its lists in GitLab name no issue or merge request: once they do, list everything again.", fmt.Sprintf("lore backfill -p %d", p.ProjectID)})
		case p.CompleteAsOf.IsZero():
			incomplete = append(incomplete, Step{"Copy everything that it has.", fmt.Sprintf("lore backfill -p %d", p.ProjectID)})
		case len(p.Except) > 0:
			except = append(except, Step{"See what keeps a change from being fetched.", fmt.Sprintf("lore why %d%s", p.ProjectID, p.Except[0].Short())})
		}
		if OfHook(p.Hook) {
			hook = append(hook, Step{"Check its webhook, which does not work.", fmt.Sprintf("lore hooks verify -p %d", p.ProjectID)})
		}
	}
	var all []Step
	for _, steps := range [][]Step{unseen, hook, incomplete, except} {
		all = append(all, steps[:min(1, len(steps))]...)
	}
	return all
}

// OfHook reports whether something should be done about a hook in this state.
func OfHook(state surgical.HookState) bool {
	return state == surgical.HookMissing || state == surgical.HookDisabled || state == surgical.HookSilent
}

// distinct drops steps whose command an earlier one has.
func distinct(steps []Step) []Step {
	var all []Step
	seen := map[string]bool{}
	for _, step := range steps {
		if step.Command == "" || !seen[step.Command] {
			all = append(all, step)
		}
		seen[step.Command] = true
	}
	return all
}
