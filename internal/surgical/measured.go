package surgical

import (
	"context"
	"time"
)

// Meter is told what operators watch.
type Meter interface {
	// Preflighted hears how long a preflight took, well or not.
	Preflighted(took time.Duration)
	// Ingested hears how long an ingest took that committed nothing.
	Ingested(took time.Duration)
	// Committed hears how long the ingest took that committed the run, and how
	// long after the run's event its change was visible.
	Committed(run Run, took, freshness time.Duration)
}

// preflight fetches within the time that leaves room for the commit.
func (p *Processor) preflight(ctx context.Context, run Run, refs []EntityRef) Fetched {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-ingestReserve))
		defer cancel()
	}
	began := p.Clock()
	fetched := preflight(ctx, p.Fetcher, refs)
	took := p.Clock().Sub(began)
	p.log(ctx, run, "preflight", "targets", len(refs), "attempt", run.Attempt, "duration_ms", took.Milliseconds())
	if p.Meter != nil {
		p.Meter.Preflighted(took)
	}
	p.pauseAll(context.WithoutCancel(ctx), run, fetched)
	return fetched
}

// ingest writes, and tells how long that took and how fresh it came out. The
// clock is read once the answer is there: only then is the change visible for
// sure.
func (p *Processor) ingest(ctx context.Context, run Run, snaps []Snapshot) (Ingested, error) {
	began := p.Clock()
	result, err := p.Ingester.Ingest(ctx, run, snaps)
	now := p.Clock()
	took := now.Sub(began)
	if err != nil || result.Cleanup == nil { // another attempt's commit is told by that one
		if p.Meter != nil {
			p.Meter.Ingested(took)
		}
		return result, err
	}
	freshness := now.Sub(run.EventAt)
	p.log(ctx, result.Run, "committed", "jobs", result.Run.JobsInserted, "attempt", result.Run.CommittedBy,
		"duration_ms", took.Milliseconds(), "freshness_ms", freshness.Milliseconds())
	if p.Meter != nil {
		p.Meter.Committed(result.Run, took, freshness)
	}
	return result, nil
}
