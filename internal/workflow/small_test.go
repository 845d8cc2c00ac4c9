package workflow_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// crashing panics instead of embedding.
type crashing struct{ workflow.Embedder }

func (crashing) Embed(context.Context, []string) ([][]float32, error) { panic("a mistake") }

func TestDocuments_EmbedsASmallChange(t *testing.T) {
	e := &embedder{model: "m", most: 64}
	w := embedding(t, e)
	w.embedsSmall(16)
	one, two := gitlab.IssueRef(7), gitlab.MergeRequestRef(12)
	w.discuss(one, 4)
	in := w.commit(surgical.Options{}, one, two)
	w.Clock.Advance(time.Second)
	result := w.handle(w.Docs, in)
	run, documents := w.Run(in.RunID), int64(len(w.documents(one))+len(w.documents(two)))
	if result.DocumentsRegenerated != 0 || result.ChunksEmbedded != int64(e.total()) {
		t.Errorf("%+v, want nothing left to embed, and %d chunks embedded", result, e.total())
	}
	if c := run.Counters; c.DocumentsRegenerated != documents || c.DocumentsWritten != documents || c.ChunksEmbedded != int64(e.total()) {
		t.Errorf("%+v, want %d documents and %d chunks", c, documents, e.total())
	}
	if m := run.Marks; m.EmbedStarted.IsZero() || m.EmbedStarted.Before(m.DocsStarted) || m.EmbedEnded.Before(m.EmbedStarted) || m.DocsEnded.IsZero() {
		t.Errorf("%+v", m)
	}
	if again := w.handle(w.Docs, in); again != result {
		t.Errorf("repeated: %+v, want %+v", again, result)
	}
	jobs, err := w.Ledger.Jobs(t.Context(), in.RunID)
	w.must(err)
	if len(jobs) != 2 {
		t.Errorf("%d jobs, want one for each target", len(jobs))
	}
	if _, err = w.Finish.Handle(t.Context(), in); err != nil || w.Run(in.RunID).Status != surgical.StatusSucceeded {
		t.Errorf("the run is %s, %v", w.Run(in.RunID).Status, err)
	}
	w.settled(one)
	w.settled(two)
}

// What prevents that a change is embedded right away is met again, and told, by its
// embed job.
func TestDocuments_LeavesWhatItDoesNotEmbedToAnEmbedJob(t *testing.T) {
	ref := gitlab.IssueRef(7)
	comment := func(w *world) { w.GitLab.AddDiscussion(ref, gitlab.Note{Body: "A remark."}) }
	for name, c := range map[string]struct {
		change func(w *world)
		// given happens before docs does the job, whose embedder is e.
		given func(w *world, e *embedder, in workflow.Input)
	}{
		"many documents": {change: func(w *world) { w.discuss(ref, 17) }},
		"many chunks":    {change: func(w *world) { w.GitLab.AddDiscussion(ref, gitlab.Note{Body: longText(17, "word")}) }},
		"more chunks than a call embeds": {
			change: func(w *world) { w.discuss(ref, 9) },
			given:  func(_ *world, e *embedder, _ workflow.Input) { e.most = 8 },
		},
		"the embedder is away": {change: comment, given: func(_ *world, e *embedder, _ workflow.Input) {
			e.err = surgical.NewError(surgical.CodeEmbedFailed, "the embedder is out of reach")
		}},
		"the embedder crashes": {change: comment, given: func(w *world, e *embedder, _ workflow.Input) {
			w.Docs.Work.(*workflow.Documents).Embeddings = &workflow.Embeddings{Content: w.Content, Embedder: crashing{e}}
		}},
		"it killed its function": {change: comment, given: func(w *world, _ *embedder, in workflow.Input) {
			_, err := w.Ledger.ClaimJob(t.Context(), w.job(in.RunID, surgical.JobDocs), in.Generation, time.Minute)
			w.must(err)
		}},
		"the document moves": {change: comment, given: func(w *world, _ *embedder, _ workflow.Input) {
			w.once(w.writesContent, func(send func() error) error {
				err := send() // the document
				w.once(w.writesContent, func(func() error) error { return surgical.ErrMoved })
				return err
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &embedder{model: "m", most: 64}
			w := embedding(t, e)
			w.synced(ref)
			c.change(w)
			in := w.commit(surgical.Options{}, ref)
			w.embedsSmall(16)
			if c.given != nil {
				c.given(w, e, in)
			}
			embedded := e.total()
			result := w.handle(w.Docs, in)
			w.around.Store(nil)
			if result.DocumentsRegenerated == 0 || w.dirty(ref) != 1 {
				t.Errorf("%+v, %d dirty sources", result, w.dirty(ref))
			}
			if name != "the document moves" && e.total() != embedded {
				t.Errorf("%d chunks are embedded", e.total()-embedded)
			}
			if job := w.job(in.RunID, surgical.JobEmbed); job.Status != surgical.JobPending || job.Attempts != 0 {
				t.Errorf("%+v", job)
			}
			e.err = nil
			w.handle(w.Embed, in)
			w.settled(ref)
		})
	}
}

// limited fails, and notes how much time it has.
type limited struct {
	*embedder
	left []time.Duration
}

func (l *limited) Embed(ctx context.Context, _ []string) ([][]float32, error) {
	deadline, _ := ctx.Deadline()
	l.left = append(l.left, time.Until(deadline))
	return nil, surgical.NewError(surgical.CodeEmbedFailed, "the embedder does not answer")
}

// What waits for the embedder is the embed state; documents of other targets, and what has
// to be hidden, must not wait with it.
func TestDocuments_WaitsForTheEmbedderOnlyBriefly(t *testing.T) {
	w := embedding(t, &embedder{model: "m", most: 64})
	one, two := gitlab.IssueRef(7), gitlab.MergeRequestRef(12)
	in := w.commit(surgical.Options{}, one, two)
	w.embedsSmall(16)
	away := &limited{embedder: &embedder{model: "m", most: 64}}
	w.Docs.Work.(*workflow.Documents).Embeddings = &workflow.Embeddings{Content: w.Content, Embedder: away}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if result, err := w.Docs.Handle(ctx, in); err != nil || result.Outcome != workflow.Done || len(w.documents(one)) == 0 || len(w.documents(two)) == 0 {
		t.Errorf("%+v, %v; %d and %d documents", result, err, len(w.documents(one)), len(w.documents(two)))
	}
	if most := surgical.HandOnReserve + surgical.SmallPatience; len(away.left) != 2 || slices.Max(away.left) > most {
		t.Errorf("the embedder has %v, want at most %v for each target", away.left, most)
	}
}

func TestDocuments_EmbedsNothingForARunWithoutEmbeddings(t *testing.T) {
	e := &embedder{model: "m", most: 64}
	w := embedding(t, e)
	w.embedsSmall(16)
	ref := gitlab.IssueRef(7)
	w.handle(w.Docs, w.commit(surgical.Options{NoEmbed: true}, ref))
	if e.total() != 0 || w.dirty(ref) != 1 {
		t.Errorf("%d chunks are embedded, %d dirty sources", e.total(), w.dirty(ref))
	}
}
