package invariants_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestAWebhookBecomesACompleteCopyWithDocumentsAndEmbeddings(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		run := w.Webhook(ref)
		entity := w.Entity(ref)
		if got, want := len(entity.Discussions), len(w.GitLab.Discussions(ref)); got != want {
			t.Errorf("%d discussions are stored, GitLab has %d", got, want)
		}
		documents, err := w.Content.Documents(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(documents), 1+len(entity.Discussions); got != want {
			t.Errorf("%d documents, want %d", got, want)
		}
		if run.Counters.GitLabRequests != 5 || run.Counters.DocumentsRegenerated != int64(len(documents)) || run.Counters.ChunksEmbedded == 0 {
			t.Errorf("counters: %+v", run.Counters)
		}
		dirty, err := w.Ledger.DirtySources(t.Context(), ref)
		if err != nil || len(dirty) != 0 {
			t.Errorf("dirty sources %v, error %v", dirty, err)
		}
	})
}

func TestASecondCommentUnderAnUnchangedUpdatedAtIsStored(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "first"})
		before := w.GitLab.UpdatedAt(ref)
		w.Webhook(ref)
		had := len(w.Entity(ref).Discussions)
		w.Clock.Advance(20 * time.Second)
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "second"})
		if !w.GitLab.UpdatedAt(ref).Equal(before) {
			t.Fatal("the comment moved updated_at: the test proves nothing")
		}
		w.Webhook(ref)
		if got := len(w.Entity(ref).Discussions); got != had+1 {
			t.Errorf("%d discussions, want %d", got, had+1)
		}
	})
}

func TestAnEventThatIsCoveredIsCoalescedWithoutARequest(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		early := w.Request(surgical.OriginWebhook, ref)
		covering := w.Webhook(ref)
		run := w.Sync(early)
		if run.CoalescedWith != covering.RunID || run.Counters.GitLabRequests != 0 {
			t.Errorf("coalesced with %q after %d requests", run.CoalescedWith, run.Counters.GitLabRequests)
		}
	})
}
