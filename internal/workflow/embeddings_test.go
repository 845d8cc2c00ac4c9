package workflow_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// embedder embeds a text as its length, and counts.
type embedder struct {
	model string
	most  int
	// texts are how many texts each call had.
	texts []int
	err   error
}

func (e *embedder) Model() string   { return e.model }
func (e *embedder) Dimensions() int { return 2 }
func (e *embedder) MaxBatch() int   { return e.most }

func (e *embedder) Embed(_ context.Context, texts []string) ([][]float32, error) {
	if e.err != nil {
		return nil, e.err
	}
	e.texts = append(e.texts, len(texts))
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = []float32{float32(len(text)), 1}
	}
	return vectors, nil
}

func (e *embedder) total() (n int) {
	for _, texts := range e.texts {
		n += texts
	}
	return n
}

// embedding returns a world with the embedder.
func embedding(t *testing.T, e *embedder) *world {
	w := newWorld(t)
	w.embedsWith(e)
	return w
}

// embedsWith deploys the functions with another embedder; nil is none.
func (w *world) embedsWith(e *embedder) {
	if e == nil {
		w.EmbedWith(nil, nil)
	} else {
		w.EmbedWith(e, nil)
	}
	w.embedsSmall(0)
}

// models are those of the entity's embeddings and vectors.
func (w *world) models(ref surgical.EntityRef) []string {
	found := map[string]bool{}
	for _, item := range w.items(ref, "emb#", "vec#") {
		if model, ok := item["model"].(*types.AttributeValueMemberS); ok {
			found[model.Value] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Vectors of a model that is no longer there, such as feature hashing, are replaced
// with the next run of their entity that commits, even if nothing changed.
func TestEmbeddings_OfAnotherModelAreReplacedAtTheNextCommit(t *testing.T) {
	before, after := &embedder{model: "lexical/fnv-512/v1", most: 64}, &embedder{model: "a real one", most: 64}
	w := embedding(t, before)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	run := func() (regenerated, embedded int64) {
		t.Helper()
		w.Clock.Advance(time.Minute)
		in := w.commit(surgical.Options{}, ref)
		jobs, err := w.Ledger.Jobs(t.Context(), in.RunID)
		w.must(err)
		if len(jobs) == 0 {
			return 0, 0
		}
		regenerated = w.handle(w.Docs, in).DocumentsRegenerated
		return regenerated, w.handle(w.Embed, in).ChunksEmbedded
	}
	documents := int64(len(w.documents(ref)))
	for i, c := range []struct {
		e                     *embedder
		comment               bool
		regenerated, embedded bool
		models                []string
	}{
		{before, false, false, false, []string{before.model}},
		{nil, false, false, false, []string{before.model}},
		{after, false, true, true, []string{after.model}},
		{after, false, false, false, []string{after.model}},
		// A comment that came without a model is embedded by the one that comes next.
		{nil, true, true, false, []string{after.model}},
		{before, false, true, true, []string{before.model}},
	} {
		w.embedsWith(c.e)
		if c.comment {
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "One more comment."})
			documents++
		}
		regenerated, embedded := run()
		if regenerated > 0 != c.regenerated || embedded > 0 != c.embedded || c.embedded && regenerated != documents {
			t.Errorf("commit %d: %d of %d documents regenerated, %d chunks embedded", i, regenerated, documents, embedded)
		}
		if diff := cmp.Diff(c.models, w.models(ref)); diff != "" {
			t.Errorf("commit %d: models (-want +got):\n%s", i, diff)
		}
	}
	w.settled(ref)
}

func TestEmbeddings_EndAtOnceWithoutAModel(t *testing.T) {
	w := embedding(t, nil)
	ref := gitlab.IssueRef(7)
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	if result := w.handle(w.Embed, in); result.Outcome != workflow.Done || result.DocumentsRegenerated == 0 || result.ChunksEmbedded != 0 {
		t.Errorf("%+v", result)
	}
	embedded, err := w.Content.Embedded(t.Context(), ref)
	w.must(err)
	if job := w.job(in.RunID, surgical.JobEmbed); job.Status != surgical.JobDone || w.dirty(ref) != 0 || len(embedded) != 0 {
		t.Errorf("the job is %s, %d dirty sources, embedded are %v", job.Status, w.dirty(ref), embedded)
	}
}

func TestEmbeddings_EmbedsShortDocumentsTogether(t *testing.T) {
	e := &embedder{model: "m", most: 64}
	w := embedding(t, e)
	ref := gitlab.IssueRef(7)
	w.discuss(ref, 120)
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	result := w.handle(w.Embed, in)
	if len(e.texts) != 3 || int64(e.total()) != result.ChunksEmbedded {
		t.Errorf("calls of %v texts, %d chunks counted: want one call for each batch of 50", e.texts, result.ChunksEmbedded)
	}
	w.settled(ref)
}

// A slow embedder takes few texts a call: between two calls there is a look at
// the time, and what was embedded until then counts.
func TestEmbeddings_GoesOnWhereItRanOutOfTime(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(*world, surgical.EntityRef)
	}{
		{"many short documents", func(w *world, ref surgical.EntityRef) { w.discuss(ref, 30) }},
		{"one long document", func(w *world, ref surgical.EntityRef) {
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: longText(40, "word")})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &embedder{model: "m", most: 8}
			w := embedding(t, e)
			ref := gitlab.IssueRef(7)
			w.synced(ref)
			w.Clock.Advance(time.Minute)
			c.fill(w, ref)
			in := w.commit(surgical.Options{}, ref)
			w.handle(w.Docs, in)
			run, job := w.claimed(in.RunID, surgical.JobEmbed)
			e.texts = nil
			var err error
			tries := 0
			for ; tries < 40; tries++ {
				// Time for the outer look and two batches: a long document takes one
				// look before it is read, and one before each slice.
				if _, err = w.Embed.Work.Do(t.Context(), run, &job, batches(3)); !errors.Is(err, workflow.ErrOutOfTime) {
					break
				}
			}
			if err != nil || tries < 1 {
				t.Fatalf("after %d tries: %v", tries, err)
			}
			if int64(e.total()) != job.ChunksEmbedded {
				t.Errorf("%d chunks counted, %d embedded", job.ChunksEmbedded, e.total())
			}
			chunks := 0
			for id, document := range w.documents(ref) {
				embeddings, err := w.Content.Embeddings(t.Context(), ref, []string{id})
				w.must(err)
				if document.Revision == w.Run(in.RunID).Outcomes[ref.Target].Revision {
					chunks += len(embeddings[id].Chunks)
				}
			}
			if e.total() != chunks {
				t.Errorf("%d chunks were embedded, want each of %d once", e.total(), chunks)
			}
		})
	}
}

func TestEmbeddings_NotesTheLastDocumentOfABatch(t *testing.T) {
	w := embedding(t, &embedder{model: "m", most: 64})
	ref := gitlab.IssueRef(7)
	w.discuss(ref, 60)
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	run, job := w.claimed(in.RunID, surgical.JobEmbed)
	if _, err := w.Embed.Work.Do(t.Context(), run, &job, batches(2)); !errors.Is(err, workflow.ErrOutOfTime) {
		t.Fatal(err)
	}
	if want := job.Regenerated[49]; job.Cursor != want {
		t.Errorf("the cursor is %q, want %q", job.Cursor, want)
	}
}

func TestEmbeddings_EmbedsOnlyChunksThatChanged(t *testing.T) {
	e := &embedder{model: "m", most: 64}
	w := embedding(t, e)
	ref := gitlab.IssueRef(7)
	set := func(text string) {
		w.Clock.Advance(time.Minute)
		w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Description = text })
	}
	sync := func() {
		e.texts = nil
		in := w.commit(surgical.Options{}, ref)
		w.handle(w.Docs, in)
		w.handle(w.Embed, in)
		w.settled(ref)
	}
	text := longText(6, "word")
	set(text)
	sync()
	all := e.total()
	set(text + "\nOne more line.")
	sync()
	if n := e.total(); n == 0 || n > 2 || all < 6 {
		t.Errorf("%d chunks were embedded after a change of the last one, of %d", n, all)
	}
	// Another model's vectors are of no use.
	e.model = "another"
	set(text + "\nAnother line.")
	sync()
	if n := e.total(); n < 6 {
		t.Errorf("%d chunks were embedded with another model", n)
	}
}

func TestEmbeddings_DoesNotUseVectorsFromBeforeADocumentWasHidden(t *testing.T) {
	e := &embedder{model: "m", most: 64}
	w := embedding(t, e)
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	e.texts = nil
	w.Clock.Advance(time.Minute)
	w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Confidential = true })
	in := w.commit(surgical.Options{}, ref)
	hidden := w.items(ref, "emb#", "vec#")
	w.handle(w.Docs, in)
	w.restore(hidden)
	result := w.handle(w.Embed, in)
	if want := len(w.documents(ref)); int(result.DocumentsRegenerated) != want || e.total() < want {
		t.Errorf("%d chunks of %d documents were embedded, want all of %d documents", e.total(), result.DocumentsRegenerated, want)
	}
	w.settled(ref)
}

// The document changes after it was read and before its embeddings are written:
// it is embedded as it is then.
func TestEmbeddings_EmbedsADocumentAgainThatChangedMeanwhile(t *testing.T) {
	for name, body := range map[string]string{"short": "A remark.", "long": longText(70, "word")} {
		t.Run(name, func(t *testing.T) {
			w := embedding(t, &embedder{model: "m", most: 64})
			ref := gitlab.IssueRef(7)
			w.synced(ref)
			discussion := w.GitLab.AddDiscussion(ref, gitlab.Note{Body: body})
			in := w.commit(surgical.Options{}, ref)
			w.handle(w.Docs, in)
			var other workflow.Input
			w.once(w.writesContent, func(send func() error) error {
				w.Clock.Advance(time.Minute)
				w.GitLab.AddNote(ref, discussion, gitlab.Note{Body: "A reply in between."})
				other = w.commit(surgical.Options{}, ref)
				w.handle(w.Docs, other)
				return send()
			})
			w.handle(w.Embed, in)
			// The other run finds its document embedded already.
			if result := w.handle(w.Embed, other); result.ChunksEmbedded != 0 {
				t.Errorf("%d chunks were left to the other run", result.ChunksEmbedded)
			}
			w.settled(ref)
		})
	}
}

func TestEmbeddings_RemovesWhatEmbedsADocumentThatIsGone(t *testing.T) {
	w := embedding(t, &embedder{model: "m", most: 64})
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	discussion := w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "A remark."})
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	w.handle(w.Embed, in)
	w.GitLab.AddNote(ref, discussion, gitlab.Note{Body: "A reply."})
	in = w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	left := w.items(ref, "emb#discussion#"+discussion, "vec#discussion#"+discussion)
	w.Clock.Advance(time.Minute)
	w.GitLab.DeleteDiscussion(ref, discussion)
	w.handle(w.Docs, w.commit(surgical.Options{}, ref))
	w.restore(left)
	w.handle(w.Embed, in)
	w.settled(ref)
}

func TestEmbeddings_FailsWithTheEmbedder(t *testing.T) {
	for name, body := range map[string]string{"short": "A remark.", "long": longText(70, "word")} {
		t.Run(name, func(t *testing.T) {
			e := &embedder{model: "m", most: 64}
			w := embedding(t, e)
			ref := gitlab.IssueRef(7)
			w.synced(ref)
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: body})
			in := w.commit(surgical.Options{}, ref)
			w.handle(w.Docs, in)
			e.err = surgical.NewError(surgical.CodeEmbedFailed, "the embedder is out of reach")
			if result, err := w.Embed.Handle(t.Context(), in); !errors.As(err, new(workflow.Transient)) || result != (workflow.Result{}) {
				t.Errorf("%+v, error %v", result, err)
			}
			if job := w.job(in.RunID, surgical.JobEmbed); job.Status != surgical.JobPending || w.dirty(ref) != 1 {
				t.Errorf("the job is %s, %d dirty sources", job.Status, w.dirty(ref))
			}
			e.err = nil
			w.handle(w.Embed, in)
			w.settled(ref)
		})
	}
}

func TestEmbeddings_GivesUpOnADocumentThatNeverRests(t *testing.T) {
	w := embedding(t, &embedder{model: "m", most: 64})
	ref := gitlab.IssueRef(7)
	w.synced(ref)
	discussion := w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "A remark."})
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	changes := 0
	var change func(send func() error) error
	change = func(send func() error) error {
		changes++
		w.Clock.Advance(time.Minute)
		w.GitLab.AddNote(ref, discussion, gitlab.Note{Body: "A reply."})
		w.handle(w.Docs, w.commit(surgical.Options{}, ref))
		w.once(w.writesContent, change)
		return send()
	}
	w.once(w.writesContent, change)
	if _, err := w.Embed.Handle(t.Context(), in); err == nil || changes != 21 {
		t.Errorf("%d changes, error %v", changes, err) // one for the batch, twenty one by one
	}
}

// throttling answers so many texts, and then fails.
type throttling struct {
	embedder
	answers int
	sent    map[string]int
}

func (e *throttling) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := e.embedder.Embed(ctx, texts)
	for i, text := range texts {
		if e.answers == 0 {
			vectors[i], err = nil, surgical.NewError(surgical.CodeEmbedFailed, "the embedder throttles")
			continue
		}
		e.answers--
		e.sent[text]++
	}
	return vectors, err
}

// What the embedder answered is stored, and the next generation goes on at once
// with the rest. Without an answer, the failure counts.
func TestEmbeddings_KeepsWhatAThrottlingEmbedderAnswered(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(*world, surgical.EntityRef)
	}{
		{"many short documents", func(w *world, ref surgical.EntityRef) { w.discuss(ref, 30) }},
		{"one document of several chunks", func(w *world, ref surgical.EntityRef) {
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: longText(10, "word")})
		}},
		{"one long document", func(w *world, ref surgical.EntityRef) {
			w.GitLab.AddDiscussion(ref, gitlab.Note{Body: longText(40, "word")})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &throttling{embedder: embedder{model: "m", most: 16}, sent: map[string]int{}}
			w := newWorld(t)
			w.Embed.Work = &workflow.Embeddings{Content: w.Content, Embedder: e}
			ref := gitlab.IssueRef(7)
			c.fill(w, ref)
			in := w.commit(surgical.Options{}, ref)
			w.handle(w.Docs, in)
			generations := 0
			for outcome := workflow.HandedOn; outcome == workflow.HandedOn; generations++ {
				if generations == 1 {
					if _, err := w.Embed.Handle(t.Context(), in); !errors.As(err, new(workflow.Transient)) {
						t.Fatalf("without an answer: %v", err)
					}
				}
				e.answers = 5
				result, err := w.Embed.Handle(t.Context(), in)
				if err != nil || generations > 20 {
					t.Fatalf("generation %d: %+v, %v", in.Generation, result, err)
				}
				if outcome = result.Outcome; outcome == workflow.HandedOn {
					in = w.launched[len(w.launched)-1]
				}
			}
			if generations < 3 {
				t.Errorf("%d generations, so nothing was throttled", generations)
			}
			for text, n := range e.sent {
				if n > 1 {
					t.Errorf("%q was answered %d times", text[:min(40, len(text))], n)
				}
			}
			if job := w.job(in.RunID, surgical.JobEmbed); job.ChunksEmbedded != int64(len(e.sent)) {
				t.Errorf("%d chunks are counted, want %d", job.ChunksEmbedded, len(e.sent))
			}
			w.settled(ref)
		})
	}
}

// A document that was embedded in part and then changed keeps no vector of a
// chunk that is gone.
func TestEmbeddings_RemovesVectorsOfAnUnfinishedDocument(t *testing.T) {
	e := &throttling{embedder: embedder{model: "m", most: 16}, answers: 5, sent: map[string]int{}}
	w := newWorld(t)
	w.Embed.Work = &workflow.Embeddings{Content: w.Content, Embedder: e}
	ref := gitlab.IssueRef(7)
	w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Description = longText(10, "before") })
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	if result, err := w.Embed.Handle(t.Context(), in); err != nil || result.Outcome != workflow.HandedOn {
		t.Fatalf("%+v, %v", result, err)
	}
	w.Clock.Advance(time.Minute)
	w.GitLab.EditIssue(ref, func(i *gitlab.Issue) { i.Description = "short" })
	later := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, later)
	e.answers = 1000
	w.handle(w.Embed, later)
	vectors, err := w.Content.Vectors(t.Context(), ref, "entity")
	w.must(err)
	if len(vectors) != 1 {
		t.Errorf("%d vectors of a document with one chunk", len(vectors))
	}
}
