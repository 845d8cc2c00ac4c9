package embed

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/docs"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parallelReads bounds the concurrent reads of stored vectors.
const parallelReads = 8

// planned is one short document on its way to its embeddings.
type planned struct {
	document content.Document
	chunks   []docs.Chunk
	missing  []docs.Chunk
	stored   map[string]content.Vector
}

// together embeds the documents with few chunks: one reading, as few calls of
// the embedder and as few transactions as they take. It returns the ids that
// have to be embedded alone.
func (s *Stage) together(ctx context.Context, job *surgical.Job, ids []string) (alone []string, err error) {
	plans, alone, err := s.plan(ctx, job.Ref, ids)
	if err != nil {
		return nil, err
	}
	var missing []docs.Chunk
	for _, p := range plans {
		missing = append(missing, p.missing...)
	}
	vectors, err := s.embed(ctx, missing)
	if err != nil {
		return nil, err
	}
	writes := make([]content.EmbeddingsWrite, len(plans))
	for i, p := range plans {
		fresh := make(map[string][]float32, len(p.missing))
		for _, chunk := range p.missing {
			fresh[chunk.Hash] = vectors[chunk.Hash]
		}
		writes[i] = content.EmbeddingsWrite{
			Document: p.document, Model: s.Embedder.Model(), Chunks: hashes(p.chunks), Fresh: fresh, Stored: p.stored,
		}
	}
	err = s.Content.WriteEmbeddings(ctx, job.Ref, writes...)
	if errors.Is(err, surgical.ErrMoved) {
		return ids, nil
	}
	if err != nil {
		return nil, err
	}
	job.ChunksEmbedded += int64(len(missing))
	return alone, nil
}

// plan reads the documents and sorts out those that are current, and those
// that are to be embedded alone: long or gone.
func (s *Stage) plan(ctx context.Context, ref surgical.EntityRef, ids []string) (plans []planned, alone []string, err error) {
	documents, err := s.Content.SomeDocuments(ctx, ref, ids)
	if err != nil {
		return nil, nil, err
	}
	embeddings, err := s.Content.Embeddings(ctx, ref, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		document, exists := documents[id]
		if exists && s.current(embeddings[id], document) {
			continue
		}
		chunks := docs.Chunks(document.Document)
		if !exists || document.Segmented() || len(chunks) > sliceSize {
			alone = append(alone, id)
			continue
		}
		plans = append(plans, planned{document: document, chunks: chunks})
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for i := range plans {
		p := &plans[i]
		_, embedded := embeddings[p.document.ID]
		group.Go(func() (err error) {
			// A document that was never embedded has no vectors to use again.
			if embedded {
				p.stored, err = s.Content.Vectors(ctx, ref, p.document.ID)
			}
			p.missing = s.missing(p.document, p.chunks, p.stored)
			return err
		})
	}
	return plans, alone, group.Wait()
}
