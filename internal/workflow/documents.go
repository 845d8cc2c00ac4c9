package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// docsBatch is how many documents are rendered and written at a time. To remove
	// so many takes one transaction for documents and embeddings, and one for
	// vectors if each has one.
	docsBatch = 49
	// docsBatchBytes ends a batch with the document whose text reaches it: until the batch
	// is written, its texts and their pieces are in memory.
	docsBatchBytes = 8 << 20
	// maxRenders bounds how often a batch is rendered again because a newer
	// revision of the entity was committed in the meantime.
	maxRenders = 20
	// maxNamed is the longest list of regenerated documents in a job; beyond it
	// the embed job checks all of the entity's documents.
	maxNamed = 1000
)

// Documents regenerates the documents that a job names, and embeds a small change as
// well. It implements [Work].
type Documents struct {
	Content    *content.Store
	Embeddings *Embeddings
	// Small is up to how many chunks are embedded by the docs job itself. With 0, all are
	// left to an embed job.
	Small int
	Clock func() time.Time
	Log   *slog.Logger
}

// Type implements [Work].
func (s *Documents) Type() surgical.JobType { return surgical.JobDocs }

// Do implements [Work]. Documents are rendered from the entity as it is now,
// which may be newer than what the run committed.
func (s *Documents) Do(ctx context.Context, run surgical.Run, job *surgical.Job, budget *Budget) (ledger.Done, error) {
	if job.Scope.Hide {
		if err := s.hide(ctx, job.Ref, budget); err != nil {
			return ledger.Done{}, err
		}
	}
	if run.Options.NoDocs {
		return ledger.LeftDirty(), nil // until a drain run regenerates it
	}
	ids, err := s.scope(ctx, *job)
	if err != nil {
		return ledger.Done{}, err
	}
	for len(ids) > 0 {
		if err := budget.Next(ctx); err != nil {
			return ledger.Done{}, err
		}
		done, err := s.regenerate(ctx, job, ids[:min(docsBatch, len(ids))])
		if err != nil {
			return ledger.Done{}, err
		}
		job.Cursor = ids[done-1]
		ids = ids[done:]
	}
	return s.done(ctx, run, job, budget), nil
}

// hide removes the bytes that the head hides from readers.
func (s *Documents) hide(ctx context.Context, ref surgical.EntityRef, budget *Budget) error {
	head, err := s.Content.Head(ctx, ref)
	if err != nil {
		return err
	}
	var stopped error
	_, err = s.Content.RemoveHidden(ctx, head, func() bool {
		stopped = budget.Next(ctx)
		return stopped == nil
	})
	return errors.Join(err, stopped)
}

// done embeds what was regenerated, or leaves it to an embed job. If nothing was,
// documents and embeddings are current.
func (s *Documents) done(ctx context.Context, run surgical.Run, job *surgical.Job, budget *Budget) ledger.Done {
	if job.RegeneratedCount == 0 {
		return ledger.Settled()
	}
	if run.Options.NoEmbed {
		return ledger.LeftDirty()
	}
	began := s.Clock()
	if s.embedSmall(ctx, job, budget) {
		return ledger.EmbeddedSince(began)
	}
	return ledger.LeftToEmbed(surgical.Job{
		RunID: job.RunID, ID: ledger.JobID(surgical.JobEmbed, job.Ref.Target), Type: surgical.JobEmbed,
		Ref: job.Ref, DirtyID: job.DirtyID, Status: surgical.JobPending,
		Regenerated: job.Regenerated, RegeneratedAll: job.RegeneratedAll, RegeneratedCount: job.RegeneratedCount,
	})
}

// embedSmall embeds what the job regenerated if that is a small change, and reports
// whether all of it is embedded. Whatever prevents that is left to the embed job, which
// tries again and says what failed. So is a job that was interrupted: the embedding may
// be what killed its function.
func (s *Documents) embedSmall(ctx context.Context, job *surgical.Job, budget *Budget) bool {
	if job.RegeneratedAll || len(job.Regenerated) > s.Small || job.Attempts > 1 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, surgical.HandOnReserve+surgical.SmallPatience)
	defer cancel()
	embedded := false
	err := func() (err error) {
		defer surgical.Recover(&err)
		embedded, err = s.Embeddings.small(ctx, job, s.Small, budget)
		return err
	}()
	if err != nil {
		s.Log.WarnContext(ctx, "left_to_embed", "run_id", job.RunID, "project_id", job.Ref.ProjectID, "type", string(job.Ref.Type), "iid", job.Ref.IID,
			"code", string(surgical.AsError(err).Code), "error", err.Error())
	}
	return embedded && err == nil
}

// scope lists the documents that the job is about, in order, without those that
// an earlier generation finished.
func (s *Documents) scope(ctx context.Context, job surgical.Job) ([]string, error) {
	ids := map[string]bool{}
	for _, child := range job.Scope.Children {
		if id, ok := documentOf(child); ok {
			ids[id] = true
		}
	}
	if job.Scope.All {
		view, err := s.Content.View(ctx, job.Ref, nil)
		if err != nil {
			return nil, err
		}
		stored, err := s.Content.Documents(ctx, job.Ref)
		if err != nil {
			return nil, err
		}
		ids[render.EntityID] = true
		for _, discussion := range view.Discussions() {
			ids[discussion] = true
		}
		for _, document := range stored {
			ids[document.ID] = true
		}
		// Only this list names what an interrupted removal left behind.
		embedded, err := s.Content.Embedded(ctx, job.Ref)
		if err != nil {
			return nil, err
		}
		maps.Copy(ids, embedded)
	}
	maps.DeleteFunc(ids, func(id string, _ bool) bool { return id <= job.Cursor })
	return slices.Sorted(maps.Keys(ids)), nil
}

// regenerate brings the first of the documents up to date, as many as are a batch and at
// least one, and returns their number, however often the entity changes in the meantime.
// It adds those without current embeddings to the job.
func (s *Documents) regenerate(ctx context.Context, job *surgical.Job, ids []string) (done int, err error) {
	for try := range maxRenders {
		made, err := s.tryRegenerate(ctx, *job, try, ids)
		if errors.Is(err, surgical.ErrMoved) {
			job.Unclean = true
			continue
		}
		if err != nil {
			return 0, err
		}
		job.DocumentsWritten += made.written
		job.RegeneratedCount += int64(len(made.stale))
		job.Regenerated = append(job.Regenerated, made.stale...)
		job.Warn(made.warnings...)
		if len(job.Regenerated) > maxNamed {
			job.Regenerated, job.RegeneratedAll = nil, true
		}
		return made.done, nil
	}
	return 0, fmt.Errorf("documents of %s: the entity moved %d times", job.Ref, maxRenders)
}

// made is the result of one batch.
type made struct {
	// done is how many of the documents asked for are in the batch, the first of them.
	done    int
	written int64
	// stale are the documents without current embeddings.
	stale []string
	// warnings say what the documents do not show; see [surgical.Job].
	warnings []string
}

func (s *Documents) tryRegenerate(ctx context.Context, job surgical.Job, try int, ids []string) (made, error) {
	ref := job.Ref
	view, err := s.Content.View(ctx, ref, childrenOf(ids))
	if err != nil {
		return made{}, err
	}
	before, children, err := view.Batch(ctx, ids, childrenOf(ids))
	if err != nil {
		return made{}, err
	}
	rendered, done, warnings, err := renderBatch(ctx, view.Head, children, ids)
	if err != nil {
		return made{}, err
	}
	ids = ids[:done]
	puts, replaced, gone := differences(view.Head, rendered, before.Documents, ids)
	if len(puts)+len(replaced) > 0 {
		token := content.TextToken(job.RunID, job.Attempts, view.Revision, try)
		if err := s.Content.WriteDocuments(ctx, view.Head, token, puts, replaced); err != nil {
			return made{}, err
		}
	}
	if err := s.removeEmbeddings(ctx, ref, gone, replaced); err != nil {
		return made{}, err
	}
	stale, err := s.stale(ctx, view.Head, rendered, before.Embeddings)
	return made{done, int64(len(puts)), stale, warnings}, err
}

// removeEmbeddings removes what is left of documents that no longer exist. Those
// that were stored until now have no embeddings any more, only vectors.
func (s *Documents) removeEmbeddings(ctx context.Context, ref surgical.EntityRef, gone []string, removed map[string]content.Document) error {
	var vectors, embeddings []string
	for _, id := range gone {
		if _, stored := removed[id]; stored {
			vectors = append(vectors, id)
		} else {
			embeddings = append(embeddings, id)
		}
	}
	return errors.Join(
		eachOnce(ctx, ref, vectors, s.Content.RemoveVectors),
		eachOnce(ctx, ref, embeddings, s.Content.RemoveEmbeddings))
}

// eachOnce removes what belongs to the documents, together or, if one of them
// exists again, one by one. Its embeddings belong to the run that wrote it.
func eachOnce(ctx context.Context, ref surgical.EntityRef, ids []string, remove func(context.Context, surgical.EntityRef, ...string) error) error {
	err := remove(ctx, ref, ids...)
	if !errors.Is(err, surgical.ErrMoved) {
		return err
	}
	for _, id := range ids {
		if err := remove(ctx, ref, id); err != nil && !errors.Is(err, surgical.ErrMoved) {
			return err
		}
	}
	return nil
}

// differences compares the rendered documents with the stored ones. Puts are
// new, different or hidden; replaced are the stored ones that are overwritten or
// deleted; gone are the ids that no longer have a document.
func differences(head surgical.Head, rendered map[string]surgical.Document, stored map[string]content.Document, ids []string) (puts []surgical.Document, replaced map[string]content.Document, gone []string) {
	replaced = map[string]content.Document{}
	for _, id := range ids {
		old, had := stored[id]
		document, exists := rendered[id]
		if !exists {
			gone = append(gone, id)
			if had {
				replaced[id] = old
			}
			continue
		}
		if had && old.Hash == document.Hash && old.Revision >= head.DocumentsVisibleFrom {
			continue
		}
		puts = append(puts, document)
		if had {
			replaced[id] = old
		}
	}
	return puts, replaced, gone
}

// current reports whether visible embeddings of the model carry the document's hash. If
// there is no model, those of any count.
func (s *Documents) current(head surgical.Head, e content.Embeddings, hash string) bool {
	model := s.Embeddings.model()
	return e.Current(head, hash) && (model == "" || e.Model == model)
}

// stale lists the documents that have no current embeddings. Those that
// were embedded differently before the documents were written are stale. Those
// that looked current are read again now, after the write: an embed job of
// another run may have replaced their embeddings in between, and would find the
// document changed from now on. So the answer is right also if the job is
// repeated or another run overtakes it; at worst it names a document that was
// embedded a moment ago, which costs the embed job one look.
func (s *Documents) stale(ctx context.Context, head surgical.Head, rendered map[string]surgical.Document, before map[string]content.Embeddings) ([]string, error) {
	var stale, current []string
	for _, id := range slices.Sorted(maps.Keys(rendered)) {
		if s.current(head, before[id], rendered[id].Hash) {
			current = append(current, id)
		} else {
			stale = append(stale, id)
		}
	}
	if len(current) == 0 {
		return stale, nil
	}
	now, err := s.Content.Embeddings(ctx, head.Ref, current)
	if err != nil {
		return nil, err
	}
	for _, id := range current {
		if !s.current(head, now[id], rendered[id].Hash) {
			stale = append(stale, id)
		}
	}
	slices.Sort(stale)
	return stale, nil
}
