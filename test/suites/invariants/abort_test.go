package invariants_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Under load, finish may time out twice, and abort runs.
func TestARunWhoseWorkIsDoneSucceedsThoughItsFinishFailed(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		w.LeaveToEmbed = true // otherwise docs closes the run
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		in := workflow.Input{RunID: req.RunID, Generation: 1}
		for _, stage := range []*workflow.Runner{w.Docs, w.Embed} {
			if _, err := stage.Handle(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		if run := w.Run(req.RunID); run.Status != surgical.StatusRunning {
			t.Fatalf("the run is %s before its finish", run.Status)
		}
		if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: in, Stage: "finish", Error: "States.Timeout"}); err != nil {
			t.Fatal(err)
		}
		run := w.Run(req.RunID)
		if run.Status != surgical.StatusSucceeded || run.Error != nil || run.SweepPending {
			t.Errorf("the run is %s with %v, sweep pending %v", run.Status, run.Error, run.SweepPending)
		}
	})
}
