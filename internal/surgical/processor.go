package surgical

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

const (
	// Lease is how long an attempt holds its run: a little longer than a worker
	// may run.
	Lease = 130 * time.Second
	// giveUpAfter is the age, counted from the first claim, at which a run with a
	// failed attempt is given up.
	giveUpAfter = 6 * time.Hour
	// maxLostLeases is how many workers may die over a run.
	maxLostLeases = 5
	// refetchInterval keeps webhooks from fetching one busy entity over and over.
	refetchInterval = 5 * time.Second
	// maxAttempts bounds the attempts of one worker at one message.
	maxAttempts = 6
	// ingestReserve is the time that an attempt keeps for committing.
	ingestReserve = 25 * time.Second
	// minAttempt is the least time worth beginning an attempt with.
	minAttempt = ingestReserve + 10*time.Second
)

// Heads reads the heads of entities.
type Heads interface {
	Head(ctx context.Context, ref EntityRef) (Head, error)
}

// Workflow starts the ordered stages that follow a commit. Starting twice is
// harmless.
type Workflow interface {
	Start(ctx context.Context, runID string, generation int64) error
}

// Processor carries a run from its message to its commit. All fields are
// required but Meter.
type Processor struct {
	Ledger   Ledger
	Heads    Heads
	Fetcher  Fetcher
	Ingester Ingester
	Workflow Workflow
	// Allows is the allow list of projects.
	Allows func(projectID int64) bool
	Clock  func() time.Time
	// Jitter returns a random duration in [0, d).
	Jitter func(d time.Duration) time.Duration
	Log    *slog.Logger
	Meter  Meter
}

// Message is a request as the queue delivered it.
type Message struct {
	Request
	// ID is the queue's id of the message: the same at every redelivery.
	ID string
	// NotBefore is when a fetch may begin: it covers every event of the
	// message's group in the batch, so that one fetch serves them all.
	NotBefore time.Time
	// SharesFetch tells that another message of the group came before it in the
	// batch: the fetch that was made for that one serves this one too.
	SharesFetch bool
	// Alone: the worker does nothing else meanwhile.
	Alone bool
}

// Verdict says what becomes of a message.
type Verdict struct {
	// Delete: the message has done its duty.
	Delete bool
	// DeadLetter: the message goes to the dead letters, then is deleted.
	DeadLetter bool
	// Alone: nothing was done. Workers died over the run, Deaths of them, so it is
	// to be processed alone.
	Alone  bool
	Deaths int64
	// After is the delay until the next delivery if it is none of these.
	After time.Duration
}

func (v Verdict) String() string {
	switch {
	case v.DeadLetter:
		return "dead_letter"
	case v.Delete:
		return "delete"
	case v.Alone:
		return "alone"
	default:
		return "wait"
	}
}

// ended is the verdict on a message whose run is terminal. A run that was lost
// goes to the dead letters with the message that asked for it, however often
// that takes.
func ended(run Run, msg Message) Verdict {
	lost := run.Error != nil && run.Error.Code == CodeRunLost
	return Verdict{Delete: true, DeadLetter: lost && slices.Contains(run.MessageIDs, msg.ID)}
}

func done() Verdict                       { return Verdict{Delete: true} }
func waitFor(after time.Duration) Verdict { return Verdict{After: max(after, time.Second)} }

// Process brings the message's run as far as it goes. An error tells why the
// message waits; the verdict holds in any case.
func (p *Processor) Process(ctx context.Context, msg Message) (Verdict, error) {
	now := p.Clock()
	if now.Before(msg.NotBefore) {
		return waitFor(msg.NotBefore.Sub(now)), nil
	}
	if !p.timeFor(ctx, minAttempt) {
		return waitFor(0), nil
	}
	run, err := p.find(ctx, msg)
	if err != nil {
		return p.troubled(err)
	}
	switch {
	case run.Status.Terminal():
		return ended(run, msg), nil
	case run.Committed():
		return p.afterCommit(ctx, run, nil)
	case run.LeaseUntil.After(now):
		return waitFor(run.LeaseUntil.Sub(now)), nil
	case run.deaths() >= maxLostLeases:
		return p.lost(ctx, run, msg)
	case run.deaths() > 0 && !msg.Alone:
		return Verdict{Alone: true, Deaths: run.deaths()}, nil
	}
	if msg.Origin == OriginDrain {
		return p.begin(ctx, msg, run) // it asks GitLab for nothing
	}
	until, err := p.Ledger.Pause(ctx)
	if err != nil {
		return p.troubled(err)
	}
	if until.After(now) {
		return waitFor(until.Sub(now) + p.Jitter(time.Second)), nil
	}
	return p.begin(ctx, msg, run)
}

// begin claims the run, unless the entity is fresh enough to do without.
func (p *Processor) begin(ctx context.Context, msg Message, seen Run) (Verdict, error) {
	covering, wait, err := p.freshness(ctx, msg, seen)
	if err != nil {
		return p.troubled(err)
	}
	if wait > 0 {
		return waitFor(wait), nil
	}
	run, err := p.Ledger.Claim(ctx, seen, Claim{Request: seen.Request, MessageID: msg.ID, Lease: Lease})
	if err != nil {
		return p.troubled(err)
	}
	switch {
	case !p.Allows(run.ProjectID):
		return p.giveUp(ctx, run, NewError(CodeProjectNotAllowed, "the project is not on the allow list"), 0)
	case covering != "":
		p.log(ctx, run, "coalesced", "covered_by", covering)
		return p.close(ctx, run, Closing{Status: StatusSucceeded, Attempt: run.Attempt, CoalescedWith: covering, Clean: !run.SweepPending})
	case run.Origin == OriginDrain:
		return p.drain(ctx, run)
	}
	return p.attempts(ctx, run)
}

// drain fetches nothing: it takes over dirty sources and lets the workflow do
// the rest.
func (p *Processor) drain(ctx context.Context, run Run) (Verdict, error) {
	drained, err := p.Ledger.Drain(ctx, run)
	if err != nil {
		return p.failed(ctx, run, err, 0)
	}
	return p.afterCommit(ctx, drained, nothingStaged)
}

func nothingStaged(context.Context) error { return nil }

// attempts fetches and commits. A commit that was refused because another one
// came first is tried again by another attempt, on the same snapshots if only
// the revision moved, else after one more fetch.
func (p *Processor) attempts(ctx context.Context, run Run) (Verdict, error) {
	fetched := p.preflight(ctx, run, run.Refs())
	if run.Options.PreflightOnly {
		run.Previews = fetched.previews() // also of a preflight that fails: to tell is what it is for
	}
	if failure := fetched.fail(run); failure != nil {
		return p.failed(ctx, run, failure, fetched.Requests)
	}
	if run.Options.PreflightOnly {
		return p.close(ctx, run, Closing{
			Status: StatusSucceeded, Attempt: run.Attempt, Requests: fetched.Requests, Previews: run.Previews, Clean: true,
		})
	}
	snaps, refetched := fetched.Snapshots, false
	for range maxAttempts {
		entered, err := p.Ledger.EnterIngest(ctx, run, fetched.Requests)
		if err != nil {
			return p.failed(ctx, run, err, 0)
		}
		fetched.Requests = 0
		result, err := p.ingest(ctx, entered, snaps)
		switch {
		case err != nil:
			return p.failed(ctx, entered, err, 0)
		case !result.Moved && len(result.Refetch) == 0:
			return p.afterCommit(ctx, result.Run, result.Cleanup)
		case len(result.Refetch) > 0 && refetched:
			return p.failed(ctx, entered, NewError(CodeIngestFailed, "a newer copy that does not cover the event came twice"), 0)
		}
		if run, err = p.Ledger.NextAttempt(ctx, entered, Lease); err != nil {
			return p.failed(ctx, entered, err, 0)
		}
		if len(result.Refetch) > 0 {
			refetched = true
			fetched = p.preflight(ctx, run, result.Refetch)
			if failure := fetched.fail(only(run, result.Refetch)); failure != nil {
				failure.Total = len(run.Targets)
				return p.failed(ctx, run, failure, fetched.Requests)
			}
			replace(snaps, fetched.Snapshots)
		}
	}
	return p.failed(ctx, run, NewError(CodeIngestFailed, "other commits came first too often"), 0)
}

// only restricts a run to some of its targets, for judging their failures.
func only(run Run, refs []EntityRef) Run {
	run.Targets = nil
	for _, ref := range refs {
		run.Targets = append(run.Targets, ref.Target)
	}
	return run
}

// replace puts newer snapshots in the place of older ones of the same entity.
func replace(snaps, newer []Snapshot) {
	for _, n := range newer {
		for i := range snaps {
			if snaps[i].Ref == n.Ref {
				snaps[i] = n
			}
		}
	}
}

// timeFor reports whether the function may run for d yet.
func (p *Processor) timeFor(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > d
}
