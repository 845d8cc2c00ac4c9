package invariants_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// A run whose documents were not made does not have to be retried or drained: the
// next run of the entity makes them, even if it is about something else.
func TestALaterRunTakesAlongWhatAnEarlierOneLeftUndone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		aborted(t, w, w.Request(surgical.OriginWebhook, ref))
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
		w.Clock.Advance(time.Minute)
		w.Sync(w.Request(surgical.OriginWebhook, ref))
		documentsOfAll(t, w, ref)
		wantDirty(t, w, ref, 0)
	})
}

// A run without docs leaves what is left to the next run that makes documents.
func TestARunWithoutDocsTakesNothingAlong(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		aborted(t, w, w.Request(surgical.OriginManual, ref))
		without := w.Request(surgical.OriginManual, ref)
		without.Options = surgical.Options{NoDocs: true, NoEmbed: true}
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
		w.Clock.Advance(time.Minute)
		w.Sync(without)
		wantDirty(t, w, ref, 2)
		w.Clock.Advance(time.Minute)
		w.Sync(w.Request(surgical.OriginManual, ref))
		documentsOfAll(t, w, ref)
		wantDirty(t, w, ref, 1) // left on purpose, for the drain
	})
}

func wantDirty(t *testing.T, w *cloud.World, ref surgical.EntityRef, want int) {
	t.Helper()
	dirty, err := w.Ledger.DirtySources(t.Context(), ref)
	if err != nil || len(dirty) != want {
		t.Errorf("%d dirty sources, want %d: %v", len(dirty), want, err)
	}
}
