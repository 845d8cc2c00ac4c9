package worker_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
)

// erase erases the issue.
func (w *world) erase() {
	w.T.Helper()
	if _, err := w.Eraser.Erase(w.T.Context(), issue7); err != nil {
		w.T.Fatal(err)
	}
}

func TestProcess_FetchesNothingOfAnErasedTarget(t *testing.T) {
	w := newWorld(t)
	w.erase()
	req := w.Request(surgical.OriginManual, issue7, mr12)
	want(t, w.deliver(req), worker.Done{})
	run := w.Run(req.RunID)
	if run.Outcomes[issue7.Target].Status != surgical.EntitySkippedErased || run.Outcomes[mr12.Target].Status != surgical.EntityOK || w.fetches != 1 {
		t.Errorf("the run is %s, %v; outcomes %v after %d fetches", run.Status, run.Error, run.Outcomes, w.fetches)
	}
}

// Another fetch would be refused as well.
func TestProcess_SkipsATargetThatIsErasedWhileItIsFetched(t *testing.T) {
	w := newWorld(t)
	w.during = w.erase
	req := w.Request(surgical.OriginManual, issue7)
	want(t, w.deliver(req), worker.Done{})
	run := w.Run(req.RunID)
	if run.Outcomes[issue7.Target].Status != surgical.EntitySkippedErased || !w.head(issue7).Erased() || w.fetches != 1 {
		t.Errorf("the run is %s, %v; outcomes %v after %d fetches", run.Status, run.Error, run.Outcomes, w.fetches)
	}
}
