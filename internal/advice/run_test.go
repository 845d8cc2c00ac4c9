package advice_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

func run(status surgical.RunStatus, e *surgical.Error) surgical.Run {
	return surgical.Run{Request: surgical.Request{RunID: "wabc7", ProjectID: 1, Targets: []surgical.Target{issue(7).Target}}, Status: status, Error: e}
}

// failedRun returns a run whose targets failed with the codes.
func failedRun(codes ...surgical.Code) (surgical.Run, []surgical.EntityRow) {
	r := run(surgical.StatusFailed, nil)
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
	retryIt  = "lore runs retry wabc7 --wait"
	followIt = "lore runs watch wabc7"
	cancelIt = "lore runs cancel wabc7"
)

func TestOfRun_SuggestsWhatCanBeDone(t *testing.T) {
	notFound, notFoundRows := failedRun(surgical.CodeGitLabNotFound)
	mixed, mixedRows := failedRun(surgical.CodeGitLabNotFound, surgical.CodeAbortedByPeer)
	forbidden, forbiddenRows := failedRun(surgical.CodeGitLabForbidden)
	unauthorized, unauthorizedRows := failedRun(surgical.CodeGitLabUnauthorized)
	timeout, timeoutRows := failedRun(surgical.CodeGitLabTimeout)
	retried, retriedRows := failedRun(surgical.CodeGitLabTimeout)
	retried.RetriedBy = "rnew1"
	docs := run(surgical.StatusFailed, surgical.NewError(surgical.CodeDocsFailed, "no"))
	for name, c := range map[string]struct {
		run    surgical.Run
		rows   []surgical.EntityRow
		undone bool
		want   []string
	}{
		"queued":    {run: run(surgical.StatusQueued, nil), want: []string{followIt, cancelIt}},
		"running":   {run: run(surgical.StatusRunning, nil), want: []string{followIt, cancelIt}},
		"succeeded": {run: run(surgical.StatusSucceeded, nil), want: []string{"lore show -p 1 --issue 7"}},
		"only a preflight": {run: surgical.Run{
			Request: surgical.Request{RunID: "wabc7", ProjectID: 1, Targets: []surgical.Target{issue(7).Target}, Options: surgical.Options{PreflightOnly: true}}, Status: surgical.StatusSucceeded,
		}, want: []string{"lore sync -p 1 --issue 7 --wait"}},
		"waiting for a token": {run: run(surgical.StatusRunning, surgical.NewError(surgical.CodeGitLabUnauthorized, "no")), want: []string{
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
		"retried":      {run: retried, rows: retriedRows, want: []string{"lore runs watch rnew1"}},
		"docs failed": {run: docs, rows: []surgical.EntityRow{{Ref: issue(7), Status: surgical.EntityOK}},
			undone: true, want: []string{retryIt}},
		"cancelled before it began": {run: run(surgical.StatusCancelled, surgical.NewError(surgical.CodeRunCancelled, "no")), rows: []surgical.EntityRow{{Ref: issue(7), Status: surgical.EntityFailed, Code: surgical.CodeRunCancelled}}, want: []string{retryIt}},
	} {
		var got []string
		for _, a := range advice.OfRun(c.run, c.rows, c.undone) {
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
