package metrics

import (
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Delivered tells how a webhook was answered, with which code if it was refused
// or failed, and how long it took.
func (e *Emitter) Delivered(outcome string, code surgical.Code, took time.Duration) {
	l := newLine().of(Outcome, outcome).count(Deliveries(), 1)
	if code == surgical.CodeInvalidSignature {
		l.count(RefusedSignatures(), 1)
	}
	if outcome == "queued" {
		l.took(EnqueueLatency(), took)
	}
	e.emit(l)
}

// Received tells how old messages were when a worker got them.
func (e *Emitter) Received(queue string, ages []time.Duration) {
	for some := range slices.Chunk(ages, maxValues) {
		e.emit(newLine().of(Queue, queue).took(QueueAge(), some...))
	}
}

// Traffic is what was exchanged with GitLab for one fetch.
type Traffic struct {
	Requests, RateLimited int64
	// Unauthorized tells that the fetch ended with 401.
	Unauthorized bool
	// BudgetLeft is the least that GitLab said is left, or -1 if it said nothing.
	BudgetLeft int64
}

// Fetched tells of a fetch that ended, well or not.
func (e *Emitter) Fetched(t Traffic) {
	l := newLine().some(GitLabRequests(), t.Requests).some(GitLabRateLimited(), t.RateLimited)
	if t.Unauthorized {
		l.count(GitLabUnauthorized(), 1)
	}
	if t.BudgetLeft >= 0 {
		l.count(GitLabBudgetLeft(), t.BudgetLeft) // zero says the most
	}
	e.emit(l)
}

// Preflighted tells of a preflight that ended, well or not.
func (e *Emitter) Preflighted(took time.Duration) { e.emit(newLine().took(PreflightDuration(), took)) }

// Ingested tells of an ingest that ended without a commit.
func (e *Emitter) Ingested(took time.Duration) { e.emit(newLine().took(IngestDuration(), took)) }

// Committed tells of an ingest that committed the run, and how long after its
// event the change was visible.
func (e *Emitter) Committed(run surgical.Run, took, freshness time.Duration) {
	l := newLine().took(IngestDuration(), took).count(ContentWriteUnits(), run.Counters.ContentWriteUnits)
	var skipped int64
	for _, outcome := range run.Outcomes {
		if outcome.Status == surgical.EntitySkippedStale {
			skipped++
		}
	}
	l.some(SkippedStale(), skipped)
	if skipped < int64(len(run.Outcomes)) {
		l.of(Origin, string(run.Origin)).took(Freshness(), freshness)
	}
	e.emit(l)
}

// JobDone tells of a job that is done.
func (e *Emitter) JobDone(job surgical.Job) {
	if job.Type == surgical.JobEmbed {
		e.emit(newLine().count(ChunksEmbedded(), job.ChunksEmbedded))
		return
	}
	e.emit(newLine().count(DocumentsRegenerated(), job.RegeneratedCount))
}

// Closed tells of a run that ended.
func (e *Emitter) Closed(run surgical.Run) {
	l := newLine().of(Status, string(run.Status)).of(Origin, string(run.Origin)).count(Runs(), 1)
	if run.CoalescedWith != "" {
		l.count(Coalesced(), 1)
	}
	e.emit(l.some(JobsAborted(), run.Counters.JobsAborted))
}
