package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestEveryOutcomeIsCountedOrIsWrong(t *testing.T) {
	failed := surgical.NewError(surgical.CodePreflightFailed, "not every target could be fetched")
	failed.Failures = []surgical.TargetFailure{{Code: surgical.CodeGitLabNotFound}}
	ended := func(status surgical.RunStatus, change ...func(*surgical.Run)) outcome {
		o := outcome{run: surgical.Run{Status: status}, found: true, covered: true}
		for _, c := range change {
			c(&o.run)
		}
		return o
	}
	uncovered := ended(surgical.StatusSucceeded)
	uncovered.covered = false
	tests := []struct {
		name string
		outcome
		dead  bool
		want  Account
		wrong string
	}{
		{name: "committed", outcome: ended(surgical.StatusSucceeded), want: Account{Committed: 1}},
		{name: "coalesced", outcome: ended(surgical.StatusSucceeded, func(r *surgical.Run) { r.CoalescedWith = "w1" }), want: Account{Coalesced: 1}},
		{name: "left to a newer copy", outcome: ended(surgical.StatusSucceeded, func(r *surgical.Run) {
			r.Outcomes = map[surgical.Target]surgical.Outcome{{}: {Status: surgical.EntitySkippedStale}}
		}), want: Account{SkippedStale: 1}},
		{name: "failed, by its target", outcome: ended(surgical.StatusFailed, func(r *surgical.Run) { r.Error = failed }), want: Account{Failed: map[surgical.Code]int{surgical.CodeGitLabNotFound: 1}}},
		{name: "failed without a reason", outcome: ended(surgical.StatusFailed), wrong: "does not say why"},
		{name: "cancelled", outcome: ended(surgical.StatusCancelled), want: Account{Cancelled: 1}},
		{name: "a dead letter without a run", dead: true, want: Account{DeadLetters: 1}},
		{name: "lost", wrong: "lost"},
		{name: "still open", outcome: ended(surgical.StatusRunning), wrong: "still running"},
		{name: "still open, and a dead letter", outcome: ended(surgical.StatusQueued), dead: true, wrong: "still queued"},
		{name: "succeeded, but the copy is older", outcome: uncovered, wrong: "older than the event"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Account{Failed: map[surgical.Code]int{}}
			got.add("event 1", tt.outcome, tt.dead)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Account{}, "Wrong")); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
			if wrong := strings.Join(got.Wrong, "; "); (tt.wrong == "") != (wrong == "") || !strings.Contains(wrong, tt.wrong) {
				t.Errorf("wrong is %q, want %q", wrong, tt.wrong)
			}
		})
	}
}
