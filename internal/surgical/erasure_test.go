package surgical_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestErasure_IsCompleteOnceNothingCanBeWrittenAnyMore(t *testing.T) {
	e := surgical.Erasure{Ref: surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}, ErasedAt: noon, OpenSince: noon.Add(time.Hour)}
	if e.Complete() || !e.SettlesAt().Equal(e.OpenSince.Add(surgical.EraseSettle)) || !e.RecoverableUntil().Equal(noon.Add(surgical.PointInTimeRecovery)) || !e.IndexedUntil().Equal(noon.Add(surgical.IndexForgets)) {
		t.Errorf("open: %v, settles at %v, recoverable until %v", e.Complete(), e.SettlesAt(), e.RecoverableUntil())
	}
	for _, c := range []struct{ now, wait time.Duration }{
		{0, surgical.EraseSettle + surgical.SweepInterval},
		{surgical.EraseSettle, surgical.SweepInterval},
		{24 * time.Hour, time.Second},
	} {
		err := e.Unsettled(e.OpenSince.Add(c.now))
		if surgical.CodeOf(err) != surgical.CodeConflict || !err.Retryable || err.Action != surgical.ActionRetryAfter || err.RetryAfter != c.wait {
			t.Errorf("after %v: %+v, want a wait of %v", c.now, err, c.wait)
		}
	}
	e.OpenSince = time.Time{}
	if !e.Complete() {
		t.Error("not complete although nothing was found any more")
	}
}
