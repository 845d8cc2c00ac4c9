package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Done decides what happens to the dirty source of a finished job: it is
// [Settled], [EmbeddedSince], [LeftToEmbed] or [LeftDirty].
type Done struct {
	next    *surgical.Job
	settled bool
	// embedding is when a docs job began to embed.
	embedding time.Time
}

// Settled is for a job after which documents and embeddings are current: the
// dirty source is deleted.
func Settled() Done { return Done{settled: true} }

// EmbeddedSince is [Settled] for a docs job that embedded what it regenerated, and began
// to at this time.
func EmbeddedSince(began time.Time) Done { return Done{settled: true, embedding: began} }

// LeftToEmbed is for a docs job that leaves this embed job, which takes over the
// dirty source.
func LeftToEmbed(next surgical.Job) Done { return Done{next: &next} }

// LeftDirty is for a job whose run does not request more, although something is
// left to do. The dirty source stays for a drain run.
func LeftDirty() Done { return Done{} }

// finishing is a job that its holder ends as done.
type finishing struct {
	job  surgical.Job
	done Done
	at   time.Time
}

func (l *Ledger) finishing(job surgical.Job, done Done) finishing {
	if !done.embedding.IsZero() {
		job.Regenerated, job.RegeneratedAll = nil, false
	}
	job.Status, job.LeaseUntil = surgical.JobDone, time.Time{}
	return finishing{job: job, done: done, at: l.clock()}
}

// endsRun reports whether nothing of the run is left to do then: it is the only job
// that was ever inserted for the run, and it leaves no other. That stays so while the
// job is held, because only the commit and the end of a docs job insert jobs.
func (f finishing) endsRun(run surgical.Run) bool {
	return f.job.Type == surgical.JobDocs && run.JobsInserted == 1 && f.done.next == nil && run.Status == surgical.StatusRunning
}

// FinishJob marks the claimed job as done, and in the same transaction inserts
// the embed job, or deletes the dirty source. It returns the job as it is then. A claim
// that is no longer held, or a run no longer running, gives [surgical.ErrMoved].
//
// run is as the caller read it since its commit. If nothing of it is left to do, the same
// transaction closes it, as [Ledger.Close] would next: as succeeded. Only then it is
// returned terminal.
func (l *Ledger) FinishJob(ctx context.Context, run surgical.Run, job surgical.Job, done Done) (surgical.Run, surgical.Job, error) {
	f := l.finishing(job, done)
	var err error
	if f.endsRun(run) && run.SweepPending {
		// The worker that started the workflow may have recorded since that it left
		// nothing to sweep.
		if run, err = l.Run(ctx, run.RunID); err != nil {
			return run, job, err
		}
	}
	if f.endsRun(run) {
		run, err = l.finishRun(ctx, run, f)
	} else {
		err = l.finishJob(ctx, f)
	}
	switch {
	case dynamo.Refusals(err) != nil:
		return run, job, surgical.ErrMoved
	case err != nil:
		return run, job, fmt.Errorf("finish job %s of %s: %w", job.ID, job.RunID, err)
	}
	return run, f.job, nil
}

// finishJob ends the job, and leaves its run as it is.
func (l *Ledger) finishJob(ctx context.Context, f finishing) error {
	row, err := l.runUpdate(f.job.RunID, running(), f.inRun(expression.UpdateBuilder{}))
	if err != nil {
		return err
	}
	items, err := l.finishingItems(f)
	if err != nil {
		return err
	}
	return dynamo.Transact(ctx, l.db, append([]types.TransactWriteItem{row}, items...))
}

// finishRun ends the job and closes its run.
func (l *Ledger) finishRun(ctx context.Context, run surgical.Run, f finishing) (surgical.Run, error) {
	c := closingOf(run, surgical.Succeeded{})
	c.finishing = &f
	return l.end(ctx, run, c, []surgical.Job{f.job})
}

// finishingItems are what ending the job writes, but for its run.
func (l *Ledger) finishingItems(f finishing) ([]types.TransactWriteItem, error) {
	jobDone, err := updateItem(l.tables.DependentQueue, jobKey(f.job.RunID, f.job.ID), heldJob(f.job),
		progress(f.job).
			Set(expression.Name("status"), expression.Value(f.job.Status)).
			Set(expression.Name("expires_at"), expression.Value(f.at.Add(runLifetime).Unix())).
			Remove(expression.Name("lease_until")))
	if err != nil {
		return nil, err
	}
	items := []types.TransactWriteItem{jobDone}
	if f.done.next != nil {
		insert, err := l.InsertJob(*f.done.next)
		if err != nil {
			return nil, err
		}
		items = append(items, insert)
	}
	if f.done.settled {
		items = append(items, l.deleteDirty(f.job.Ref, f.job.DirtyID))
	}
	if f.job.ChunksEmbedded > 0 {
		embedded, err := l.embedded(f.job.RunID)
		if err != nil {
			return nil, err
		}
		items = append(items, embedded)
	}
	return items, nil
}

// inRun adds what the end of the job changes in its run. The last job to end sets the
// end of the stage.
func (f finishing) inRun(update expression.UpdateBuilder) expression.UpdateBuilder {
	now := expression.Value(dynamo.Micros(f.at))
	count := func(update expression.UpdateBuilder, counter string, n int64) expression.UpdateBuilder {
		return update.Add(expression.Name("counters."+counter), expression.Value(n))
	}
	if f.job.Type == surgical.JobEmbed {
		return count(update.Set(expression.Name("embed_ended_at"), now), "chunks_embedded", f.job.ChunksEmbedded)
	}
	if began := dynamo.Micros(f.done.embedding); f.done.embedding.IsZero() {
		update = update.Set(expression.Name("docs_ended_at"), now)
	} else {
		started := expression.Name("embed_started_at")
		update = update.Set(expression.Name("docs_ended_at"), expression.Value(began)).
			Set(started, expression.IfNotExists(started, expression.Value(began))).
			Set(expression.Name("embed_ended_at"), now)
	}
	update = count(update, "documents_written", f.job.DocumentsWritten)
	update = count(update, "documents_regenerated", f.job.RegeneratedCount)
	if f.job.ChunksEmbedded > 0 {
		update = count(update, "chunks_embedded", f.job.ChunksEmbedded)
	}
	if f.done.next != nil {
		update = update.Add(expression.Name("jobs_inserted"), expression.Value(1))
	}
	return update
}

// applied is the run as inRun leaves it, of a docs job that leaves no other job.
func (f finishing) applied(run surgical.Run) surgical.Run {
	stored := func(t time.Time) time.Time { return dynamo.FromMicros(dynamo.Micros(t)) }
	run.Marks.DocsEnded = stored(f.at)
	if began := f.done.embedding; !began.IsZero() {
		run.Marks.DocsEnded, run.Marks.EmbedEnded = stored(began), stored(f.at)
		if run.Marks.EmbedStarted.IsZero() {
			run.Marks.EmbedStarted = stored(began)
		}
	}
	run.Counters.DocumentsWritten += f.job.DocumentsWritten
	run.Counters.DocumentsRegenerated += f.job.RegeneratedCount
	run.Counters.ChunksEmbedded += f.job.ChunksEmbedded
	return run
}
