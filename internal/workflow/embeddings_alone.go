package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// document embeds one document, however often it changes in the meantime. If
// time runs out, the vectors stored until then are used by the next generation.
func (s *Embeddings) document(ctx context.Context, job *surgical.Job, id string, budget *Budget) error {
	for range maxEmbeds {
		if err := budget.Next(ctx); err != nil {
			return err
		}
		if err := s.tryDocument(ctx, job, id, budget); !errors.Is(err, surgical.ErrMoved) {
			return err
		}
	}
	return fmt.Errorf("document %s of %s changed %d times", id, job.Ref, maxEmbeds)
}

func (s *Embeddings) tryDocument(ctx context.Context, job *surgical.Job, id string, budget *Budget) error {
	document, err := s.Content.Document(ctx, job.Ref, id)
	if err != nil {
		return err
	}
	if document.Revision == 0 {
		return s.Content.RemoveEmbeddings(ctx, job.Ref, id)
	}
	embeddings, err := s.Content.Embeddings(ctx, job.Ref, []string{id})
	before, embedded := embeddings[id]
	if err != nil || s.current(before, document) {
		return err
	}
	stored, err := s.Content.Vectors(ctx, job.Ref, id)
	if err != nil {
		return err
	}
	chunks := render.Chunks(document.Document)
	missing := s.missing(document, chunks, stored)
	for len(missing) > s.sliceSize() {
		if err := budget.Next(ctx); err != nil {
			return err
		}
		fresh, failure := s.embed(ctx, missing[:s.sliceSize()])
		if err := s.keep(ctx, job, document, fresh, embedded); err != nil {
			return cmp.Or(failure, err)
		}
		if failure != nil {
			return failure
		}
		missing, embedded = missing[s.sliceSize():], true
	}
	fresh, failure := s.embed(ctx, missing)
	if failure != nil {
		// What could not be kept is only embedded again.
		_ = s.keep(ctx, job, document, fresh, embedded)
		return failure
	}
	if err := s.Content.WriteEmbeddings(ctx, job.Ref, content.EmbeddingsWrite{
		Document: document, Model: s.Embedder.Model(), Chunks: hashes(chunks), Fresh: fresh, Stored: stored,
	}); err != nil {
		return err
	}
	job.ChunksEmbedded += int64(len(fresh))
	return nil
}

// keep stores vectors of a document whose other chunks are not embedded yet.
func (s *Embeddings) keep(ctx context.Context, job *surgical.Job, document content.Document, fresh map[string][]float32, embedded bool) error {
	if len(fresh) == 0 {
		return nil
	}
	if err := s.Content.PutVectors(ctx, job.Ref, document, s.Embedder.Model(), fresh, embedded); err != nil {
		return err
	}
	job.ChunksEmbedded += int64(len(fresh))
	return nil
}
