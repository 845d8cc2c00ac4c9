package invariants_test

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestTheBacklogIsDrainedWithoutARequestToGitLab(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		issue, mr := fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)
		quiet := w.Request(surgical.OriginManual, issue, mr)
		quiet.Options = surgical.Options{NoDocs: true, NoEmbed: true}
		w.Sync(quiet)

		// An open run keeps its own dirty sources.
		open := w.GitLab.AddDiscussion(issue, fakegitlab.Note{Body: "of an open run"})
		if _, err := w.Deliver(w.Request(surgical.OriginManual, issue)); err != nil {
			t.Fatal(err)
		}
		w.Workflow.Forget()

		w.Clock.Advance(16 * time.Minute)
		w.Sweep()
		w.Workflow.Forget()
		sent := w.Resent()
		if len(sent) != 1 || sent[0].Origin != surgical.OriginDrain || len(sent[0].Targets) != 2 {
			t.Fatalf("the sweeper sent %+v", sent)
		}
		run := w.Sync(sent[0])
		if run.Counters.GitLabRequests != 0 || run.Counters.DocumentsRegenerated == 0 {
			t.Errorf("counters %+v", run.Counters)
		}
		documents, err := w.Content.SomeDocuments(t.Context(), issue, []string{"entity", "discussion#" + open})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := documents["entity"]; !ok {
			t.Error("the backlog's document is missing")
		}
		for _, ref := range []surgical.EntityRef{issue, mr} {
			dirty, err := w.Ledger.DirtySources(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range dirty {
				if source.RunID == quiet.RunID || source.RunID == run.RunID {
					t.Errorf("dirty source %s of %s remains", source.ID, ref)
				}
			}
		}
	})
}
