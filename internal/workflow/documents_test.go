package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// claimed is the run's docs or embed job, claimed by the test.
func (w *world) claimed(runID string, typ surgical.JobType) (surgical.Run, surgical.Job) {
	w.T.Helper()
	job, err := w.Ledger.ClaimJob(w.T.Context(), w.job(runID, typ), 1, time.Hour)
	w.must(err)
	return w.Run(runID), job
}

func TestDocuments_RegeneratesWhatTheRunChanged(t *testing.T) {
	ref := gitlab.IssueRef(7)
	for _, c := range []struct {
		name   string
		change func(w *world, discussions []string)
		// want are the regenerated documents: of the two discussions that the test
		// added, "first" and "second", and "entity".
		want []string
		gone []string
	}{
		{"nothing", func(*world, []string) {}, nil, nil},
		{"the description", func(w *world, _ []string) {
			w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Description = "Another description." })
		}, []string{"entity"}, nil},
		{"a note in a discussion", func(w *world, d []string) {
			w.GitLab.AddNote(ref, strings.TrimPrefix(d[0], "discussion#"), gitlab.Note{Body: "A reply."})
		}, []string{"first"}, nil},
		{"a discussion that is deleted", func(w *world, d []string) {
			w.GitLab.DeleteDiscussion(ref, strings.TrimPrefix(d[1], "discussion#"))
		}, nil, []string{"second"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			discussions := w.discuss(ref, 2)
			w.synced(ref)
			names := map[string]string{discussions[0]: "first", discussions[1]: "second", "entity": "entity"}
			before := w.documents(ref)
			w.Clock.Advance(time.Minute)
			c.change(w, discussions)
			in := w.commit(surgical.Options{}, ref)
			if run := w.Run(in.RunID); run.JobsInserted == 0 {
				if c.want != nil || c.gone != nil {
					t.Fatal("the run left no job")
				}
				return
			}
			result := w.handle(w.Docs, in)
			var changed, gone []string
			after := w.documents(ref)
			for id, document := range before {
				switch now, ok := after[id]; {
				case !ok:
					gone = append(gone, names[id])
				case now.Hash != document.Hash:
					changed = append(changed, names[id])
				}
			}
			if diff := cmp.Diff([][]string{c.want, c.gone}, [][]string{changed, gone}); diff != "" {
				t.Errorf("changed and gone (-want +got):\n%s", diff)
			}
			job := w.job(in.RunID, surgical.JobDocs)
			var regenerated []string
			for _, id := range job.Regenerated {
				regenerated = append(regenerated, names[id])
			}
			if diff := cmp.Diff(c.want, regenerated); diff != "" || result.DocumentsRegenerated != int64(len(c.want)) {
				t.Errorf("%d counted; %s", result.DocumentsRegenerated, diff)
			}
			if len(c.want) > 0 {
				w.handle(w.Embed, in)
			}
			w.settled(ref)
		})
	}
}

func TestDocuments_LeavesAnEmbedJobIfTheRunAsksForIt(t *testing.T) {
	ref := gitlab.IssueRef(7)
	for _, c := range []struct {
		name    string
		options surgical.Options
		jobs    int
		dirty   int
	}{
		{"embeddings", surgical.Options{}, 2, 1},
		{"no embeddings", surgical.Options{NoEmbed: true}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			in := w.commit(c.options, ref)
			result := w.handle(w.Docs, in)
			jobs, err := w.Ledger.Jobs(t.Context(), in.RunID)
			w.must(err)
			got := []any{len(jobs), w.dirty(ref), result.NoEmbed}
			if diff := cmp.Diff([]any{c.jobs, c.dirty, c.options.NoEmbed}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A repeated job, or one that another run overtook, writes nothing. What it
// counts is what is not embedded.
func TestDocuments_CountsWhatIsNotEmbeddedNotWhatItWrote(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	in := w.commit(surgical.Options{}, ref)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	first, second := job, job
	for _, job := range []*surgical.Job{&first, &second} {
		if _, err := w.Docs.Work.Do(t.Context(), run, job, batches(1)); err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Sorted(maps.Keys(w.documents(ref)))
	if diff := cmp.Diff(want, second.Regenerated); diff != "" || second.DocumentsWritten != 0 || first.DocumentsWritten != int64(len(want)) {
		t.Errorf("first %d, then %d written; %s", first.DocumentsWritten, second.DocumentsWritten, diff)
	}
}

// An embed job of another run replaces the embeddings after a docs job has read
// them and before it writes the document: what looked current is stale.
func TestDocuments_ReadsWhatLooksCurrentAgainAfterItWrote(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	set := func(text string) {
		w.Clock.Advance(time.Minute)
		w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Description = text })
	}
	set("As it was.")
	w.synced(ref)
	set("As it is for a moment.")
	other := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, other)
	set("As it was.")
	in := w.commit(surgical.Options{}, ref)
	w.once(w.writesContent, func(send func() error) error {
		w.handle(w.Embed, other)
		return send()
	})
	if result := w.handle(w.Docs, in); result.DocumentsRegenerated != 1 {
		t.Errorf("%d documents are to be embedded, want 1", result.DocumentsRegenerated)
	}
	w.handle(w.Embed, in)
	w.settled(ref)
}

func TestDocuments_GoesOnBehindItsCursor(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.discuss(ref, 120)
	in := w.commit(surgical.Options{}, ref)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	var written []int64
	for range 9 {
		before := job.DocumentsWritten
		_, err := w.Docs.Work.Do(t.Context(), run, &job, batches(1))
		written = append(written, job.DocumentsWritten-before)
		if err == nil {
			break
		}
		if !errors.Is(err, workflow.ErrOutOfTime) {
			t.Fatal(err)
		}
	}
	documents := slices.Sorted(maps.Keys(w.documents(ref)))
	if diff := cmp.Diff([]int64{49, 49, int64(len(documents) - 98)}, written); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(documents, job.Regenerated); diff != "" {
		t.Error(diff)
	}
}

// Long texts end a batch before it has its number of documents, because it is in memory.
// What comes behind them is left to the next one, as it is.
func TestDocuments_LeavesWhatComesAfterLongTextsToTheNextBatch(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	for range 10 {
		w.GitLab.AddDiscussion(ref, gitlab.Note{Body: strings.Repeat("A remark. ", 100_000)})
	}
	w.synced(ref)
	before := w.documents(ref)
	w.Clock.Advance(time.Minute)
	w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Title = "Another title" }) // of which all documents tell
	in := w.commit(surgical.Options{}, ref)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	var long []int // documents that are written after each batch
	for err := workflow.ErrOutOfTime; err != nil; {
		if !errors.Is(err, workflow.ErrOutOfTime) {
			t.Fatal(err)
		}
		_, err = w.Docs.Work.Do(t.Context(), run, &job, batches(1))
		changed := 0
		after := w.documents(ref)
		for id, document := range before {
			if after[id].Revision == 0 {
				t.Fatalf("after %d batches, %s is gone", len(long)+1, id)
			}
			if document.Long() && after[id].Hash != document.Hash {
				changed++
			}
		}
		long = append(long, changed)
	}
	if diff := cmp.Diff([]int{9, 10}, long); diff != "" {
		t.Error(diff)
	}
}

func TestDocuments_RendersAgainWhenTheEntityMoves(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	id := w.discuss(ref, 1)[0]
	in := w.commit(surgical.Options{}, ref)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	w.once(w.writesContent, func(send func() error) error {
		w.Clock.Advance(time.Minute)
		w.GitLab.AddNote(ref, strings.TrimPrefix(id, "discussion#"), gitlab.Note{Body: "A reply in between."})
		w.commit(surgical.Options{}, ref)
		return send()
	})
	if _, err := w.Docs.Work.Do(t.Context(), run, &job, batches(1)); err != nil {
		t.Fatal(err)
	}
	if text := w.documents(ref)[id].Text; !strings.Contains(text, "A reply in between.") || !job.Unclean {
		t.Errorf("unclean %t, the document is %q", job.Unclean, text)
	}
}

func TestDocuments_GivesUpOnAnEntityThatNeverRests(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	in := w.commit(surgical.Options{}, ref)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	moves := 0
	var move func(send func() error) error
	move = func(send func() error) error {
		moves++
		w.discuss(ref, 1)
		w.commit(surgical.Options{}, ref)
		w.once(w.writesContent, move)
		return send()
	}
	w.once(w.writesContent, move)
	if _, err := w.Docs.Work.Do(t.Context(), run, &job, batches(1)); err == nil || errors.Is(err, surgical.ErrMoved) || moves != 20 {
		t.Errorf("%d moves, error %v", moves, err)
	}
}

func TestDocuments_RemovesWhatAChangeOfVisibilityHides(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	w.Clock.Advance(time.Minute)
	w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Confidential = true })
	in := w.commit(surgical.Options{NoDocs: true, NoEmbed: true}, ref)
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	if !job.Scope.Hide {
		t.Fatal("the job hides nothing")
	}
	if _, err := w.Docs.Work.Do(t.Context(), run, &job, batches(1)); !errors.Is(err, workflow.ErrOutOfTime) {
		t.Errorf("with time for one batch of removals: %v", err)
	}
	if len(w.documents(ref)) != 0 {
		t.Error("the documents are still there")
	}
	done, err := w.Docs.Work.Do(t.Context(), run, &job, batches(9))
	if err != nil || done != ledger.LeftDirty() {
		t.Errorf("%+v, error %v", done, err)
	}
	embedded, err := w.Content.Embedded(t.Context(), ref)
	if err != nil || len(embedded) != 0 {
		t.Errorf("%d are still embedded, error %v", len(embedded), err)
	}
}

// A hidden document counts for nothing, also if its text would be the same again.
func TestDocuments_WritesAHiddenDocumentAnew(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	documents := w.documents(ref)
	var in workflow.Input
	for _, confidential := range []bool{true, false} {
		w.Clock.Advance(time.Minute)
		w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Confidential = confidential })
		in = w.commit(surgical.Options{}, ref)
	}
	run, job := w.claimed(in.RunID, surgical.JobDocs)
	job.Scope = surgical.Scope{All: true} // the removal of hidden bytes is not what is tested
	if _, err := w.Docs.Work.Do(t.Context(), run, &job, batches(1)); err != nil {
		t.Fatal(err)
	}
	if n := int64(len(documents)); job.DocumentsWritten != n || job.RegeneratedCount != n {
		t.Errorf("%d written, %d to be embedded, want %d of each", job.DocumentsWritten, job.RegeneratedCount, n)
	}
}

// A job about the whole entity removes what an interrupted removal left behind:
// documents without a child, and embeddings or vectors without a document.
func TestDocuments_RemovesWhatNothingElseNames(t *testing.T) {
	for _, prefixes := range [][]string{{"doc#discussion"}, {"emb#discussion"}, {"vec#discussion"}} {
		t.Run(prefixes[0], func(t *testing.T) {
			w := newWorld(t)
			ref := gitlab.IssueRef(7)
			id := w.discuss(ref, 1)[0]
			w.synced(ref)
			left := w.items(ref, strings.Replace(prefixes[0], "discussion", id, 1))
			w.Clock.Advance(time.Minute)
			w.GitLab.DeleteDiscussion(ref, strings.TrimPrefix(id, "discussion#"))
			w.handle(w.Docs, w.commit(surgical.Options{}, ref))
			w.restore(left)
			w.Clock.Advance(time.Minute)
			w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Title = "Another title" })
			in := w.commit(surgical.Options{}, ref)
			if job := w.job(in.RunID, surgical.JobDocs); !job.Scope.All {
				t.Fatalf("the scope is %+v", job.Scope)
			}
			w.handle(w.Docs, in)
			w.handle(w.Embed, in)
			w.settled(ref)
			if _, ok := w.documents(ref)[id]; ok {
				t.Error("the document is still there")
			}
		})
	}
}

// Beyond a thousand names the job says "all", which the embed job looks up.
func TestDocuments_NamesNoMoreThanAThousand(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.discuss(ref, 1001)
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	job := w.job(in.RunID, surgical.JobEmbed)
	if want := int64(len(w.documents(ref))); job.Regenerated != nil || !job.RegeneratedAll || job.RegeneratedCount != want {
		t.Errorf("%d named, all %t, %d counted, want %d", len(job.Regenerated), job.RegeneratedAll, job.RegeneratedCount, want)
	}
	w.handle(w.Embed, in)
	w.settled(ref)
}

func TestDocuments_FailsWithTheStore(t *testing.T) {
	ref := gitlab.IssueRef(7)
	for at := 1; at < 6; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			w := newWorld(t)
			w.synced(ref)
			w.Clock.Advance(time.Minute)
			w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Confidential = true })
			in := w.commit(surgical.Options{}, ref)
			run, job := w.claimed(in.RunID, surgical.JobDocs)
			n := 0
			w.once(func(cloud.Call) bool { n++; return n == at }, func(func() error) error { return errDown })
			if _, err := w.Docs.Work.Do(t.Context(), run, &job, batches(9)); !errors.Is(err, errDown) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// One odd record costs neither its entity nor the other targets, and the run says
// which it is.
func TestDocuments_CostAnOddRecordNothingButItself(t *testing.T) {
	w := newWorld(t)
	odd, sound := gitlab.IssueRef(7), gitlab.MergeRequestRef(12)
	fetch := w.Fetch
	w.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		snap, err := fetch(ctx, ref)
		if err == nil && ref == odd {
			for id, raw := range map[string]string{
				"understood": `{"id":"understood","notes":[{"id":"5004","body":"one","position":{"new_path":"a","new_line":"4"}}]}`,
				"incomplete": `{"id":"incomplete","notes":[{"id":1,"body":"two","author":"ada"},{"id":2,"body":"hush","internal":"yes"}]}`,
				"unreadable": `["three"]`,
			} {
				snap.Children = append(snap.Children, surgical.Child{Kind: surgical.KindDiscussion, ID: id, Raw: json.RawMessage(raw)})
			}
		}
		return snap, err
	}
	in := w.commit(surgical.Options{}, odd, sound)
	w.handle(w.Docs, in)
	w.handle(w.Embed, in)
	_, err := w.Finish.Handle(t.Context(), in)
	w.must(err)
	w.settled(odd)
	w.settled(sound)
	documents := w.documents(odd)
	for id, want := range map[string]string{"discussion#understood": "> one\n", "discussion#incomplete": "> two\n", "discussion#unreadable": ""} {
		if got := documents[id].Text; (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, "hush") {
			t.Errorf("%s:\n%s", id, got)
		}
	}
	rows, err := w.Ledger.Entities(t.Context(), in.RunID)
	w.must(err)
	got := map[surgical.EntityRef][]string{}
	for _, row := range rows {
		if got[row.Ref] = row.Warnings; row.Status != surgical.EntityOK {
			t.Errorf("%s is %s", row.Ref, row.Status)
		}
	}
	want := map[surgical.EntityRef][]string{sound: nil, odd: {
		"discussion#incomplete is incomplete: notes[0].author is a text",
		"discussion#incomplete is incomplete: notes[1].internal is a text, so the note is left out",
		"discussion#unreadable has no document: the stored discussion of " + odd.String() + " could not be read",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if run := w.Run(in.RunID); run.Status != surgical.StatusSucceeded {
		t.Errorf("the run is %s: %v", run.Status, run.Error)
	}
}

// A new version renders an entity anew at its next commit, even if nothing of it
// changed, and then no longer.
func TestDocuments_OfAnotherFormatAreRenderedAtTheNextCommit(t *testing.T) {
	w := newWorld(t)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	forget := func(attribute string) {
		for _, item := range w.items(ref, "head") {
			delete(item, attribute)
			w.must(dynamo.PutAll(t.Context(), w.DB, w.Tables.Content, []dynamo.Item{item}))
		}
	}
	documents := len(w.documents(ref))
	for i, c := range []struct {
		old     bool
		comment bool
		all     bool
		jobs    int
	}{{false, false, false, 0}, {true, false, true, 1}, {false, false, false, 0}, {true, true, true, 1}, {false, true, false, 1}} {
		w.Clock.Advance(time.Minute)
		if c.old {
			forget("document_format")
		}
		if c.comment {
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "One more comment."})
			documents++
		}
		in := w.commit(surgical.Options{}, ref)
		jobs, err := w.Ledger.Jobs(t.Context(), in.RunID)
		w.must(err)
		if len(jobs) != c.jobs || c.jobs > 0 && jobs[0].Scope.All != c.all {
			t.Errorf("commit %d left %+v", i, jobs)
		}
		if run := w.Run(in.RunID); run.Outcomes[ref.Target].Changed != c.comment {
			t.Errorf("commit %d: changed is %v", i, run.Outcomes)
		}
		if c.jobs > 0 {
			w.regenerate(in)
		}
		w.settled(ref)
		if n := len(w.documents(ref)); n != documents {
			t.Errorf("commit %d left %d documents, want %d", i, n, documents)
		}
	}
}
