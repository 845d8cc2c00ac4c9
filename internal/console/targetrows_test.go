package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestTargetRows_ShowWhatDocumentsLack(t *testing.T) {
	run := surgical.Run{Request: surgical.Request{ProjectID: 1, Targets: []surgical.Target{issue(7).Target, issue(8).Target}}}
	rows := frame{}.targetRows(run, []surgical.EntityRow{
		{Ref: issue(7), Status: surgical.EntityFailed, Stage: surgical.StageDocs, Code: surgical.CodeDocsFailed, Message: "slow"},
		{Ref: issue(8), Status: surgical.EntityOK, Warnings: []string{"discussion#a\u202e is incomplete"}},
	}, titles{})
	if rows[0].Outcome.Word != "failed" || rows[0].Code != "docs_failed" || rows[0].Message != "slow" || rows[0].Warnings != nil {
		t.Errorf("the failed target: %+v", rows[0])
	}
	if diff := cmp.Diff([]string{"discussion#a is incomplete"}, rows[1].Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestTargetRows_TellPeersOfAFailureFromTheFailure(t *testing.T) {
	failed := run(surgical.StatusFailed, surgical.StagePreflight, surgical.Marks{}, func(r *surgical.Run) {
		r.Targets, r.Error = []surgical.Target{issue(7).Target, issue(8).Target}, surgical.NewError(surgical.CodePreflightFailed, "not every target could be fetched")
	})
	ended := []surgical.EntityRow{
		{Ref: issue(7), Status: surgical.EntityFailed, Code: surgical.CodeGitLabNotFound}, {Ref: issue(8), Status: surgical.EntityFailed, Code: surgical.CodeAbortedByPeer},
	}
	rows := frame{}.targetRows(failed, ended, titles{})
	for i, want := range []mark{{"failed", "bad", "cross"}, {"not attempted", "off", "bar"}} {
		if got := rows[i].Outcome; got != want {
			t.Errorf("%s: %+v, want %+v", ended[i].Code, got, want)
		}
	}
}
