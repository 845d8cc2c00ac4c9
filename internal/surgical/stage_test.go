package surgical_test

import (
	"fmt"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestErrorWith_AdvisesWhatItsFailuresNeed(t *testing.T) {
	transient := surgical.TargetFailure{Action: surgical.ActionRetryAfter, Retryable: true}
	grant := surgical.TargetFailure{Action: surgical.ActionGrantAccess}
	verify := surgical.TargetFailure{Action: surgical.ActionVerifyIID}
	for _, c := range []struct {
		name      string
		failures  []surgical.TargetFailure
		action    surgical.Action
		retryable bool
	}{
		{"none", nil, surgical.ActionRetryFailed, true},
		{"one that can succeed", []surgical.TargetFailure{transient}, surgical.ActionRetryFailed, true},
		{"one of two can succeed", []surgical.TargetFailure{grant, transient}, surgical.ActionRetryFailed, true},
		{"one that cannot", []surgical.TargetFailure{grant}, surgical.ActionGrantAccess, false},
		{"two that need the same", []surgical.TargetFailure{verify, verify}, surgical.ActionVerifyIID, false},
		{"two that need different things", []surgical.TargetFailure{verify, grant}, surgical.ActionContactOperator, false},
	} {
		e := surgical.StageError("r", surgical.StageDocs)
		got := e.With(3, c.failures)
		if got.Action != c.action || got.Retryable != c.retryable || got.Total != 3 || len(got.Failures) != len(c.failures) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Code != surgical.CodeDocsFailed || got.RunID != "r" || e.Total != 0 {
			t.Errorf("%s: made %+v of %+v", c.name, got, e)
		}
	}
}

func TestJobWarn_KeepsARowSmall(t *testing.T) {
	var job surgical.Job
	for range 2 {
		for i := range 30 {
			job.Warn(fmt.Sprint(i), "0")
		}
	}
	if n := len(job.Warnings); n != 21 || job.Warnings[19] != "19" || job.Warnings[20] != "more records are shown incompletely or not at all" {
		t.Errorf("%d warnings: %v", n, job.Warnings)
	}
}
