package workflow

import (
	"context"
	"fmt"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// embedBatch is how many documents are read, embedded and written together.
	embedBatch = 50
	// maxSlice is the maximum number of chunks of one long document that are
	// embedded before their vectors are stored. Longer documents are embedded one
	// by one, shorter ones together up to about as many chunks.
	maxSlice = 64
	// maxEmbeds bounds how often a document is embedded again because it changed
	// in the meantime.
	maxEmbeds = 20
)

// Embedder is package embedding's. It is declared here so that functions that only start
// workflows do not link the clients of the models, which would slow their cold starts.
type Embedder interface {
	Model() string
	Dimensions() int
	MaxBatch() int
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Embeddings embeds the documents that a docs job regenerated. It implements
// [Work].
type Embeddings struct {
	Content *content.Store
	// Embedder is nil if there is no model. Then nothing is embedded.
	Embedder Embedder
}

// Type implements [Work].
func (s *Embeddings) Type() surgical.JobType { return surgical.JobEmbed }

// Do implements [Work]. Documents are embedded as they are now, which may be as
// a newer run wrote them. If the embedder fails transiently, the vectors that it
// answered are stored. If there are any, the next generation goes on at once
// ([ErrOutOfTime]): a quota that lets something through is not a failure.
func (s *Embeddings) Do(ctx context.Context, _ surgical.Run, job *surgical.Job, budget *Budget) (ledger.Done, error) {
	if s.Embedder == nil {
		return ledger.Settled(), nil
	}
	before := job.ChunksEmbedded
	err := s.all(ctx, job, budget)
	if err == nil {
		return ledger.Settled(), nil
	}
	why := surgical.AsError(err)
	if why.Code == surgical.CodeEmbedFailed && why.Retryable && job.ChunksEmbedded > before {
		return ledger.Done{}, fmt.Errorf("%w: %w", ErrOutOfTime, err)
	}
	return ledger.Done{}, err
}

// all embeds the documents of the job.
func (s *Embeddings) all(ctx context.Context, job *surgical.Job, budget *Budget) error {
	ids, err := s.scope(ctx, *job)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(ids, embedBatch) {
		if !budget.TimeLeft() {
			return ErrOutOfTime
		}
		if err := s.batch(ctx, job, batch, budget); err != nil {
			return err
		}
		job.Cursor = batch[len(batch)-1]
	}
	return nil
}

// scope lists the documents of the job in order, without those that an earlier
// generation finished.
func (s *Embeddings) scope(ctx context.Context, job surgical.Job) ([]string, error) {
	ids := slices.Clone(job.Regenerated)
	if job.RegeneratedAll {
		documents, err := s.Content.Documents(ctx, job.Ref)
		if err != nil {
			return nil, err
		}
		for _, document := range documents {
			ids = append(ids, document.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(ids, func(id string) bool { return id <= job.Cursor })
	return slices.Compact(ids), nil
}

// batch embeds some documents: those with few chunks together, the others, and
// any that changed in the meantime, one by one.
func (s *Embeddings) batch(ctx context.Context, job *surgical.Job, ids []string, budget *Budget) error {
	alone, err := s.together(ctx, job, ids, budget)
	if err != nil {
		return err
	}
	for _, id := range alone {
		if err := s.document(ctx, job, id, budget); err != nil {
			return err
		}
	}
	return nil
}

// model is the embedder's; "" if there is none.
func (s *Embeddings) model() string {
	if s.Embedder == nil {
		return ""
	}
	return s.Embedder.Model()
}

// sliceSize is how many chunks are embedded between two calls of Budget.Next: no
// more than one call of the embedder takes, because it may be slow.
func (s *Embeddings) sliceSize() int { return min(maxSlice, s.Embedder.MaxBatch()) }

// current reports whether the embeddings embed the document as it is.
func (s *Embeddings) current(e content.Embeddings, d content.Document) bool {
	return e.DocumentHash == d.Hash && e.Revision >= d.VisibleFrom && e.Model == s.model()
}

// missing lists the chunks without a usable vector. A vector is usable if it is
// of this model and length, and not older than a revision that hid the document.
func (s *Embeddings) missing(d content.Document, chunks []render.Chunk, stored map[string]content.Vector) []render.Chunk {
	seen := map[string]bool{}
	var missing []render.Chunk
	for _, chunk := range chunks {
		vector, ok := stored[chunk.Hash]
		usable := ok && vector.Model == s.Embedder.Model() && s.fits(vector) && vector.Revision >= d.VisibleFrom
		if !usable && !seen[chunk.Hash] {
			missing = append(missing, chunk)
		}
		seen[chunk.Hash] = true
	}
	return missing
}

// fits reports whether the vector has the embedder's length, if that is known.
func (s *Embeddings) fits(v content.Vector) bool {
	length := s.Embedder.Dimensions()
	return length == 0 || length == len(v.Values)
}

// embed returns a vector for each chunk, by its hash. With an error it returns those
// that were answered.
func (s *Embeddings) embed(ctx context.Context, chunks []render.Chunk) (map[string][]float32, error) {
	vectors := make(map[string][]float32, len(chunks))
	for batch := range slices.Chunk(chunks, s.Embedder.MaxBatch()) {
		texts := make([]string, len(batch))
		for i, chunk := range batch {
			texts[i] = chunk.Text
		}
		embedded, err := s.Embedder.Embed(ctx, texts)
		for i, vector := range embedded {
			if vector != nil {
				vectors[batch[i].Hash] = vector
			}
		}
		if err != nil {
			return vectors, err
		}
	}
	return vectors, nil
}

func hashes(chunks []render.Chunk) []string {
	list := make([]string, len(chunks))
	for i, chunk := range chunks {
		list[i] = chunk.Hash
	}
	return list
}
