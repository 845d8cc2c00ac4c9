package workflow

import (
	"context"
	"errors"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parallelReads bounds the concurrent reads of stored vectors.
const parallelReads = 8

// planned is one short document on its way to its embeddings.
type planned struct {
	document content.Document
	chunks   []render.Chunk
	missing  []render.Chunk
	stored   map[string]content.Vector
	// embedded says whether the document has embeddings, current or not.
	embedded bool
}

// together embeds the documents with few chunks, with as few reads, calls of the
// embedder and transactions as possible. It returns the ids that
// have to be embedded one by one. If time runs out, what was embedded until then is
// stored, and the next generation finds it current.
func (s *Embeddings) together(ctx context.Context, job *surgical.Job, ids []string, budget *Budget) (alone []string, err error) {
	plans, alone, err := s.plan(ctx, job.Ref, ids)
	if err != nil {
		return nil, err
	}
	for len(plans) > 0 {
		if err := budget.Next(ctx); err != nil {
			return nil, err
		}
		n := s.slice(plans)
		moved, err := s.write(ctx, job, plans[:n])
		if err != nil {
			return nil, err
		}
		alone = append(alone, moved...)
		plans = plans[n:]
	}
	return alone, nil
}

// small embeds what a docs job regenerated if one call of the embedder with at most this
// many chunks is enough, and reports whether all of it is embedded now.
func (s *Embeddings) small(ctx context.Context, job *surgical.Job, most int, budget *Budget) (done bool, err error) {
	if s.Embedder == nil {
		return true, nil
	}
	plans, alone, err := s.plan(ctx, job.Ref, job.Regenerated)
	if err != nil || len(alone) > 0 || missingOf(plans) > min(most, s.sliceSize()) || !budget.TimeLeft() {
		return false, err
	}
	moved, err := s.write(ctx, job, plans)
	return err == nil && len(moved) == 0, err
}

// missingOf counts the chunks that have to be embedded.
func missingOf(plans []planned) (chunks int) {
	for _, p := range plans {
		chunks += len(p.missing)
	}
	return chunks
}

// slice returns how many of the documents are embedded in one go.
func (s *Embeddings) slice(plans []planned) int {
	chunks := 0
	for n, p := range plans {
		if chunks += len(p.missing); chunks > s.sliceSize() && n > 0 {
			return n
		}
	}
	return len(plans)
}

// write embeds the documents. If any of them changed in the meantime, it writes
// nothing more and returns the ids of all. If the embedder fails, the documents
// whose chunks were all answered are written, and of the others the vectors that
// were.
func (s *Embeddings) write(ctx context.Context, job *surgical.Job, plans []planned) (moved []string, err error) {
	var missing []render.Chunk
	for _, p := range plans {
		missing = append(missing, p.missing...)
	}
	vectors, failure := s.embed(ctx, missing)
	var writes []content.EmbeddingsWrite
	var ids []string
	chunks := 0
	for _, p := range plans {
		fresh := make(map[string][]float32, len(p.missing))
		for _, chunk := range p.missing {
			if vector, ok := vectors[chunk.Hash]; ok {
				fresh[chunk.Hash] = vector
			}
		}
		if len(fresh) < len(p.missing) {
			// What could not be kept is only embedded again.
			_ = s.keep(ctx, job, p.document, fresh, p.embedded)
			continue
		}
		chunks += len(fresh)
		ids = append(ids, p.document.ID)
		writes = append(writes, content.EmbeddingsWrite{
			Document: p.document, Model: s.Embedder.Model(), Chunks: hashes(p.chunks), Fresh: fresh, Stored: p.stored,
		})
	}
	err = s.Content.WriteEmbeddings(ctx, job.Ref, writes...)
	if err == nil {
		job.ChunksEmbedded += int64(chunks)
	}
	switch {
	case failure != nil:
		return nil, failure
	case errors.Is(err, surgical.ErrMoved):
		return ids, nil
	}
	return nil, err
}

// plan reads the documents and splits them: those that are current are dropped,
// and those that are long or gone are returned for embedding one by one.
func (s *Embeddings) plan(ctx context.Context, ref surgical.EntityRef, ids []string) (plans []planned, alone []string, err error) {
	read, err := s.Content.Batch(ctx, ref, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		document, exists := read.Documents[id]
		if exists && s.current(read.Embeddings[id], document) {
			continue
		}
		chunks := render.Chunks(document.Document)
		if !exists || document.Long() || len(chunks) > s.sliceSize() {
			alone = append(alone, id)
			continue
		}
		_, embedded := read.Embeddings[id]
		plans = append(plans, planned{document: document, chunks: chunks, embedded: embedded})
	}
	group, ctx := parallel.WithContext(ctx)
	group.SetLimit(parallelReads)
	for i := range plans {
		p := &plans[i]
		group.Go(func() (err error) {
			// A document without embeddings has no vectors to use again.
			if p.embedded {
				p.stored, err = s.Content.Vectors(ctx, ref, p.document.ID)
			}
			p.missing = s.missing(p.document, p.chunks, p.stored)
			return err
		})
	}
	return plans, alone, group.Wait()
}
