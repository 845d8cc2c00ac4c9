package content_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/pipeline"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// counts is what a test compares of a stored entity.
type counts struct {
	Revision                                 int64
	Discussions, Events, Documents, Embedded int
}

func TestWhatIsStoredIsCountedAsReadersSeeIt(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w := pipeline.New(t, e.DynamoDB, e.Tables)
		issue := fakegitlab.IssueRef(7)
		check := func(when string, want counts) {
			t.Helper()
			s, err := w.Content.Stored(t.Context(), issue)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, counts{s.Revision, s.Discussions, s.Events, s.Documents, s.Embedded}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("before the first run", counts{})
		w.Webhook(issue)
		check("after it", counts{1, 4, 6, 5, 5})

		req := w.Request(surgical.OriginManual, issue)
		req.Options = surgical.Options{NoEmbed: true}
		w.GitLab.AddDiscussion(issue, fakegitlab.Note{Author: fakegitlab.Mira(), Body: "One more."})
		w.Sync(req)
		check("after a comment that was not embedded", counts{2, 5, 6, 6, 5})

		w.GitLab.EditIssue(issue, func(i *fakegitlab.Issue) { i.Confidential = true })
		w.Clock.Advance(6 * time.Second) // sooner, a webhook does not fetch again
		if _, err := w.Deliver(w.Request(surgical.OriginWebhook, issue)); err != nil {
			t.Fatal(err)
		}
		check("turned confidential, before its documents are written anew", counts{3, 5, 6, 0, 0})
	})
}

func TestHeadsAreReadTogetherAndMissingOnesLeftOut(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w := pipeline.New(t, e.DynamoDB, e.Tables)
		issue, mr, missing := fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12), fakegitlab.IssueRef(4711)
		w.Webhook(issue)
		w.Webhook(mr)
		heads, err := w.Content.Heads(t.Context(), []surgical.EntityRef{issue, missing, mr})
		if err != nil {
			t.Fatal(err)
		}
		got := map[surgical.EntityRef]string{}
		for ref, head := range heads {
			got[ref] = head.Attributes.Title
			if head.Ref != ref || head.Revision != 1 {
				t.Errorf("%s: head of %s, revision %d", ref, head.Ref, head.Revision)
			}
		}
		want := map[surgical.EntityRef]string{issue: "Search shows pages that were deleted before the last reindex", mr: "Stream exports row by row"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("titles (-want +got):\n%s", diff)
		}
	})
}
