package metrics

import (
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Delivered records the outcome of a webhook (queued, ignored, refused or failed),
// the code if it was refused or failed, and how long the response took.
func (e *Emitter) Delivered(outcome string, code surgical.Code, took time.Duration) {
	l := newLine().of(Outcome, outcome).count(Deliveries(), 1)
	if code == surgical.CodeInvalidSignature {
		l.count(RefusedSignatures(), 1)
	}
	if outcome == OutcomeQueued {
		l.took(EnqueueLatency(), took)
	}
	e.emit(l)
}

// Received records how old messages were when a worker received them.
func (e *Emitter) Received(queue string, ages []time.Duration) {
	for some := range slices.Chunk(ages, maxValues) {
		e.emit(newLine().of(Queue, queue).took(QueueAge(), some...))
	}
}

// Traffic is the traffic of one fetch with GitLab.
type Traffic struct {
	// Requests counts requests, RateLimited responses with status 429.
	Requests, RateLimited int64
	// Unauthorized means that the fetch ended with a 401.
	Unauthorized bool
	// BudgetLeft is the lowest RateLimit-Remaining, or -1 if GitLab sent none, and Budget
	// its RateLimit-Limit, or -1.
	BudgetLeft, Budget int64
}

// Fetched records a fetch that ended, successful or not.
func (e *Emitter) Fetched(t Traffic) {
	l := newLine().some(GitLabRequests(), t.Requests).some(GitLabRateLimited(), t.RateLimited)
	if t.Unauthorized {
		l.count(GitLabUnauthorized(), 1)
	}
	if t.BudgetLeft >= 0 && (t.Budget <= 0 || 2*t.BudgetLeft < t.Budget) {
		l.count(GitLabBudgetLeft(), t.BudgetLeft) // zero is the value that matters most
	}
	e.emit(l)
}

// Crawling is the meter of a client that sends requests whether or not anything
// happens. It records what goes wrong, and does not count requests.
type Crawling struct{ *Emitter }

// Fetched records requests that ended, successful or not.
func (c Crawling) Fetched(t Traffic) {
	t.Requests = 0
	c.Emitter.Fetched(t)
}

// Preflighted records a preflight that ended, successful or not.
func (e *Emitter) Preflighted(took time.Duration) { e.emit(newLine().took(PreflightDuration(), took)) }

// Ingested records an ingest that ended without a commit.
func (e *Emitter) Ingested(took time.Duration) { e.emit(newLine().took(IngestDuration(), took)) }

// Committed records an ingest that committed the run. freshness is the time from
// the run's event until the change was visible.
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

// ProjectUnseen records that GitLab refused to show a project itself.
func (e *Emitter) ProjectUnseen() { e.emit(newLine().count(ProjectsUnseen(), 1)) }

// SecretFailed records a reading of a secret that failed, or that found a token which
// cannot be used.
func (e *Emitter) SecretFailed() { e.emit(newLine().count(SecretFailures(), 1)) }

// JobDone records a job that is done.
func (e *Emitter) JobDone(job surgical.Job) {
	if job.Type == surgical.JobEmbed {
		e.emit(newLine().count(ChunksEmbedded(), job.ChunksEmbedded))
		return
	}
	e.emit(newLine().count(DocumentsRegenerated(), job.RegeneratedCount).some(ChunksEmbedded(), job.ChunksEmbedded))
}

// Closed records a run that ended.
func (e *Emitter) Closed(run surgical.Run) {
	status := string(run.Status)
	if run.OnlyMissing() {
		status = StatusMissing
	}
	l := newLine().of(Status, status).of(Origin, string(run.Origin)).count(Runs(), 1)
	if run.CoalescedWith != "" {
		l.count(Coalesced(), 1)
	}
	if run.BehindEvent {
		l.count(BehindEvent(), 1)
	}
	e.emit(l.some(JobsAborted(), run.Counters.JobsAborted))
}

// HookBroken records a check that found for the second time or more that no hook of a
// project works.
func (e *Emitter) HookBroken() { e.emit(newLine().count(HooksBroken(), 1)) }

// Found records what a census found that nothing announced: how many entities, by what
// it was.
func (e *Emitter) Found(entities map[surgical.Finding]int64) {
	for _, f := range surgical.Findings() {
		e.emit(newLine().of(Finding, string(f)).some(CensusFindings(), entities[f]))
	}
}

// ReconcileAge records for how long a project was not compared with GitLab's lists. What
// is usual with this time from one reconcile of a project to the next is not recorded.
func (e *Emitter) ReconcileAge(age, interval time.Duration) {
	if age >= surgical.ReconcileLate(interval) {
		e.emit(newLine().took(ReconcileAge(), age))
	}
}

// Slow records an invocation that took nearly as long as it may.
func (e *Emitter) Slow() { e.emit(newLine().count(SlowInvocations(), 1)) }

// StageThrottled records a run that was postponed because Lambda did not start a stage.
func (e *Emitter) StageThrottled() { e.emit(newLine().count(StagesThrottled(), 1)) }

// TableThrottled records a call that DynamoDB throttled.
func (e *Emitter) TableThrottled() { e.emit(newLine().count(TablesThrottled(), 1)) }

// Missed records that a reconcile found so many changes that no delivery announced.
func (e *Emitter) Missed(events int64) { e.emit(newLine().some(MissedEvents(), events)) }
