package embed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/docs"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// sliceSize is how many chunks are embedded before their vectors are stored.
	sliceSize = 64
	// maxMoved bounds how often a document is embedded again because it changed
	// meanwhile.
	maxMoved = 20
)

// Stage embeds the documents that the docs stage regenerated. It implements
// workflow.Stage.
type Stage struct {
	Content  *content.Store
	Embedder Embedder
}

// Type implements workflow.Stage.
func (s *Stage) Type() surgical.JobType { return surgical.JobEmbed }

// Do implements workflow.Stage. Documents are read as they are now: one that a
// newer run has written meanwhile is embedded as that run left it.
func (s *Stage) Do(ctx context.Context, _ surgical.Run, job surgical.Job, more func() bool) (surgical.Job, ledger.Done, bool, error) {
	ids, err := s.scope(ctx, job)
	if err != nil {
		return job, ledger.Done{}, false, err
	}
	for _, id := range ids {
		if id <= job.Cursor {
			continue
		}
		finished, err := s.document(ctx, &job, id, more)
		if err != nil || !finished {
			return job, ledger.Done{}, false, err
		}
		job.Cursor = id
	}
	return job, ledger.Done{Settled: true}, true, nil
}

// scope lists the documents of the job in order.
func (s *Stage) scope(ctx context.Context, job surgical.Job) ([]string, error) {
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
	return slices.Compact(ids), nil
}

// document embeds one document, however often it changes meanwhile. It reports
// false if time ran out; vectors that are stored by then are not lost.
func (s *Stage) document(ctx context.Context, job *surgical.Job, id string, more func() bool) (bool, error) {
	for range maxMoved {
		if !more() {
			return false, nil
		}
		finished, err := s.tryDocument(ctx, job, id, more)
		if !errors.Is(err, surgical.ErrMoved) {
			return finished, err
		}
	}
	return false, fmt.Errorf("document %s of %s changed %d times", id, job.Ref, maxMoved)
}

func (s *Stage) tryDocument(ctx context.Context, job *surgical.Job, id string, more func() bool) (bool, error) {
	document, err := s.Content.Document(ctx, job.Ref, id)
	if err != nil {
		return false, err
	}
	if document.Revision == 0 {
		return true, s.Content.RemoveEmbeddings(ctx, job.Ref, id)
	}
	current, err := s.current(ctx, job.Ref, document)
	if err != nil || current {
		return current, err
	}
	stored, err := s.Content.Vectors(ctx, job.Ref, id)
	if err != nil {
		return false, err
	}
	chunks := docs.Chunks(document.Document)
	missing := s.missing(document, chunks, stored)
	for len(missing) > sliceSize {
		if !more() {
			return false, nil
		}
		fresh, err := s.embed(ctx, missing[:sliceSize])
		if err != nil {
			return false, err
		}
		if err := s.Content.PutVectors(ctx, job.Ref, document, s.Embedder.Model(), fresh); err != nil {
			return false, err
		}
		job.ChunksEmbedded += int64(len(fresh))
		missing = missing[sliceSize:]
	}
	fresh, err := s.embed(ctx, missing)
	if err != nil {
		return false, err
	}
	if err := s.Content.WriteEmbeddings(ctx, job.Ref, document, s.Embedder.Model(), hashes(chunks), fresh, stored); err != nil {
		return false, err
	}
	job.ChunksEmbedded += int64(len(fresh))
	return true, nil
}

// current reports whether the document is embedded as it is.
func (s *Stage) current(ctx context.Context, ref surgical.EntityRef, d content.Document) (bool, error) {
	embeddings, err := s.Content.Embeddings(ctx, ref, []string{d.ID})
	if err != nil {
		return false, err
	}
	e := embeddings[d.ID]
	return e.DocumentHash == d.Hash && e.Revision >= d.VisibleFrom && e.Model == s.Embedder.Model(), nil
}

// missing lists the chunks without a vector that may be used: of this model and
// length, and not from before a revision that hid the document.
func (s *Stage) missing(d content.Document, chunks []docs.Chunk, stored map[string]content.Vector) []docs.Chunk {
	seen := map[string]bool{}
	var missing []docs.Chunk
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
func (s *Stage) fits(v content.Vector) bool {
	length := s.Embedder.Dimensions()
	return length == 0 || length == len(v.Values)
}

// embed returns a vector for each chunk, by its hash.
func (s *Stage) embed(ctx context.Context, chunks []docs.Chunk) (map[string][]float32, error) {
	vectors := make(map[string][]float32, len(chunks))
	for batch := range slices.Chunk(chunks, s.Embedder.MaxBatch()) {
		texts := make([]string, len(batch))
		for i, chunk := range batch {
			texts[i] = chunk.Text
		}
		embedded, err := s.Embedder.Embed(ctx, texts)
		if err != nil {
			return nil, err
		}
		for i, chunk := range batch {
			vectors[chunk.Hash] = embedded[i]
		}
	}
	return vectors, nil
}

func hashes(chunks []docs.Chunk) []string {
	list := make([]string, len(chunks))
	for i, chunk := range chunks {
		list[i] = chunk.Hash
	}
	return list
}
