package workflow

import (
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
	if err != nil || s.current(embeddings[id], document) {
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
		fresh, err := s.embed(ctx, missing[:s.sliceSize()])
		if err != nil {
			return err
		}
		if err := s.Content.PutVectors(ctx, job.Ref, document, s.Embedder.Model(), fresh); err != nil {
			return err
		}
		job.ChunksEmbedded += int64(len(fresh))
		missing = missing[s.sliceSize():]
	}
	fresh, err := s.embed(ctx, missing)
	if err != nil {
		return err
	}
	if err := s.Content.WriteEmbeddings(ctx, job.Ref, content.EmbeddingsWrite{
		Document: document, Model: s.Embedder.Model(), Chunks: hashes(chunks), Fresh: fresh, Stored: stored,
	}); err != nil {
		return err
	}
	job.ChunksEmbedded += int64(len(fresh))
	return nil
}
