package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// failedRun returns a run whose targets failed with the codes.
func failedRun(codes ...surgical.Code) (surgical.Run, []surgical.EntityRow) {
	r := run(surgical.StatusFailed, surgical.StagePreflight, surgical.Marks{})
	r.Targets, r.Error = nil, surgical.NewError(surgical.CodePreflightFailed, "not every target could be fetched")
	var rows []surgical.EntityRow
	for i, code := range codes {
		ref := issue(int64(7 + i))
		r.Targets = append(r.Targets, ref.Target)
		rows = append(rows, surgical.EntityRow{RunID: r.RunID, Ref: ref, Status: surgical.EntityFailed, Code: code})
		if code != surgical.CodeAbortedByPeer {
			e := surgical.NewError(code, "no")
			r.Error.Failures = append(r.Error.Failures, surgical.TargetFailure{Target: ref.Target, Code: code, Action: e.Action, Retryable: e.Retryable})
		}
	}
	return r, rows
}

const (
	retryIt  = "lore sync-runs --run-id wabc7 --retry-failed --wait"
	followIt = "lore sync-runs --run-id wabc7 --wait"
	cancelIt = "lore sync-runs --run-id wabc7 --cancel"
)

func TestAdviceFor_SuggestsWhatCanBeDone(t *testing.T) {
	notFound, notFoundRows := failedRun(surgical.CodeGitLabNotFound)
	mixed, mixedRows := failedRun(surgical.CodeGitLabNotFound, surgical.CodeAbortedByPeer)
	forbidden, forbiddenRows := failedRun(surgical.CodeGitLabForbidden)
	unauthorized, unauthorizedRows := failedRun(surgical.CodeGitLabUnauthorized)
	timeout, timeoutRows := failedRun(surgical.CodeGitLabTimeout)
	retried, retriedRows := failedRun(surgical.CodeGitLabTimeout)
	retried.RetriedBy = "rnew1"
	docs := run(surgical.StatusFailed, surgical.StageDocs, surgical.Marks{Committed: second(15)})
	docs.Error = surgical.NewError(surgical.CodeDocsFailed, "no")
	for name, c := range map[string]struct {
		run  surgical.Run
		rows []surgical.EntityRow
		jobs []surgical.Job
		want []string
	}{
		"queued":    {run: run(surgical.StatusQueued, "", surgical.Marks{}), want: []string{followIt, cancelIt}},
		"running":   {run: run(surgical.StatusRunning, surgical.StageDocs, surgical.Marks{}), want: []string{followIt, cancelIt}},
		"succeeded": {run: run(surgical.StatusSucceeded, surgical.StageDone, surgical.Marks{}), want: []string{"lore show -p 1 --issue 7"}},
		"waiting for a token": {run: run(surgical.StatusRunning, surgical.StagePreflight, surgical.Marks{}, func(r *surgical.Run) {
			r.Error = surgical.NewError(surgical.CodeGitLabUnauthorized, "no")
		}), want: []string{
			"Store a valid token with the read_api scope in the token's secret. The run retries automatically for up to 6 hours after its first attempt.", followIt, cancelIt,
		}},
		"not found": {run: notFound, rows: notFoundRows, want: []string{
			"Check in GitLab that it exists and that the token's user can see it.", "lore sync -p 1 --issue 7 --preflight-only --wait",
		}},
		"not found, and a peer": {run: mixed, rows: mixedRows, want: []string{
			"Check in GitLab that it exists and that the token's user can see it.", retryIt, "lore sync -p 1 --issue 7 --preflight-only --wait",
		}},
		"forbidden":    {run: forbidden, rows: forbiddenRows, want: []string{"Give the token's user access to the project.", retryIt}},
		"unauthorized": {run: unauthorized, rows: unauthorizedRows, want: []string{"Store a valid token with the read_api scope in the token's secret.", retryIt}},
		"timeout":      {run: timeout, rows: timeoutRows, want: []string{retryIt}},
		"retried":      {run: retried, rows: retriedRows, want: []string{"lore sync-runs --run-id rnew1 --wait"}},
		"docs failed": {run: docs, rows: []surgical.EntityRow{{Ref: issue(7), Status: surgical.EntityOK}},
			jobs: []surgical.Job{{Ref: issue(7), Status: surgical.JobFailed}}, want: []string{retryIt}},
		"cancelled before it began": {run: run(surgical.StatusCancelled, "", surgical.Marks{}, func(r *surgical.Run) {
			r.Error = surgical.NewError(surgical.CodeRunCancelled, "no")
		}), rows: []surgical.EntityRow{{Ref: issue(7), Status: surgical.EntityFailed, Code: surgical.CodeRunCancelled}}, want: []string{retryIt}},
	} {
		var got []string
		for _, a := range adviceFor(c.run, c.rows, undone(c.jobs)) {
			if a.Command != "" {
				got = append(got, a.Command)
			} else {
				got = append(got, a.Text)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
