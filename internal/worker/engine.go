package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Engine carries a run from its message to its commit. All fields are required
// except Meter.
type Engine struct {
	DB      *dynamodb.Client
	Ledger  *ledger.Ledger
	Content *content.Store
	// Fetch fetches one entity whole: every endpoint, every page. Its errors have
	// one of the gitlab_ codes.
	Fetch func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error)
	// Project reports whether GitLab shows the project to the token, and how many
	// requests that took. Its errors have one of the gitlab_ codes.
	Project func(ctx context.Context, projectID int64) (requests int, err error)
	// Deliveries returns how many messages of requests.fifo wait, and how many a worker
	// has received and not finished, about.
	Deliveries func(ctx context.Context) (waiting, received int, err error)
	// Launch starts the workflow of a committed run and records the start.
	// Starting it twice is harmless.
	Launch func(ctx context.Context, run surgical.Run, generation int64, clean bool) error
	// Allows is the allow list of projects.
	Allows func(projectID int64) bool
	Clock  func() time.Time
	// Jitter returns a random duration in [0, d).
	Jitter func(d time.Duration) time.Duration
	// Room bounds what all runs of this process hold of what they fetched; Fetch
	// takes from the share in its context.
	Room  *room.Room
	Log   *slog.Logger
	Meter *metrics.Emitter
}

// Process brings the message's run as far as it goes. isolated promises that
// nothing else runs in this process in the meantime.
func (e *Engine) Process(ctx context.Context, msg Message, isolated bool) Verdict {
	if msg.Hides {
		return e.hide(ctx, msg)
	}
	now := e.Clock()
	if now.Before(msg.NotBefore) {
		return waitFor(msg.NotBefore.Sub(now), nil)
	}
	if !hasTime(ctx, surgical.MinAttempt) {
		return waitFor(0, nil)
	}
	seen, err := e.look(ctx, msg)
	if err != nil {
		return e.unknown(err)
	}
	if seen.run != nil && !seen.run.SameEntities(msg.Request) {
		return e.apart(ctx, msg, isolated)
	}
	run, err := e.runOf(ctx, msg, seen)
	if err != nil {
		return e.unknown(err)
	}
	switch {
	case run.Status.Terminal():
		return ended(run, msg)
	case run.Committed():
		return e.afterCommit(ctx, run, nil)
	case run.LeaseUntil.After(now):
		return waitFor(run.LeaseUntil.Sub(now), nil)
	case deaths(run) >= surgical.MaxLostLeases:
		return e.lost(ctx, run, msg)
	case deaths(run) > 0 && !isolated:
		return Isolate{Deaths: deaths(run)}
	case run.Crowded && !isolated:
		return Isolate{}
	case seen.pause.After(now) && run.Origin != surgical.OriginDrain: // a drain sends no request to GitLab
		return waitFor(seen.pause.Sub(now)+e.Jitter(time.Second), nil)
	case seen.spared.After(now):
		return waitFor(seen.spared.Sub(now)+e.Jitter(time.Second), nil)
	}
	if wait := run.NotBefore.Sub(now); wait > 0 {
		return waitFor(wait, nil) // the sweeper's clock is ahead
	}
	if wait, err := e.turn(ctx, run, seen, now); err != nil {
		return e.unknown(err)
	} else if wait > 0 {
		return waitFor(wait, nil)
	}
	covering, wait, err := e.coverage(ctx, msg, run, seen.head)
	if err != nil {
		return e.unknown(err)
	}
	if wait > 0 {
		return waitFor(wait, nil)
	}
	share := e.Room.Share(isolated)
	defer share.Leave()
	return e.attempt(room.With(ctx, share), msg, run, covering, seen)
}

// sight is what one read shows of a message's surroundings.
type sight struct {
	// run is the row of the message's own run, nil if there is none.
	run *surgical.Run
	// pause is the time until which no worker may send requests to GitLab.
	pause time.Time
	// left are the targets of which ended runs may have left something undone.
	left []surgical.EntityRef
	// path is the newest known path of the project, or "".
	path string
	// head is the entity's, for a message with one target.
	head *content.Base
	// erased are the targets that were erased, so that they are not fetched.
	erased []surgical.EntityRef
	// spared is the time until which passes leave GitLab's budget to webhooks, and empty
	// when no delivery waited. Both are only read for the run of a pass.
	spared time.Time
	empty  surgical.Emptiness
}

// look reads the run, the pause, the project's path, which targets have something
// left undone, and the heads: in one round trip, each strongly consistent by itself.
func (e *Engine) look(ctx context.Context, msg Message) (sight, error) {
	refs := msg.Refs()
	lookups := []dynamo.Lookup{e.Ledger.RunLookup(msg.RunID), e.Ledger.PauseLookup(), e.Ledger.PathLookup(msg.ProjectID)}
	const read = 3 // before those of the targets
	for _, ref := range refs {
		lookups = append(lookups, e.Ledger.LeftLookup(ref))
	}
	for _, ref := range refs {
		lookups = append(lookups, e.Content.HeadLookup(ref))
	}
	if msg.Origin.Yields() {
		lookups = append(lookups, e.Ledger.SpareLookup(), e.Ledger.EmptinessLookup())
	}
	items, err := dynamo.GetTogether(ctx, e.DB, lookups...)
	if err != nil {
		return sight{}, err
	}
	var seen sight
	if items[0] != nil {
		run, err := ledger.RunOf(items[0])
		if err != nil {
			return seen, err
		}
		seen.run = &run
	}
	if seen.pause, err = ledger.PauseOf(items[1]); err != nil {
		return seen, err
	}
	if seen.path, err = ledger.PathOf(items[2]); err != nil {
		return seen, err
	}
	for i, ref := range refs {
		if items[read+i] != nil {
			seen.left = append(seen.left, ref)
		}
	}
	if msg.Origin.Yields() {
		if seen.spared, err = ledger.PauseOf(items[len(items)-2]); err != nil {
			return seen, err
		}
		if seen.empty, err = ledger.EmptinessOf(items[len(items)-1]); err != nil {
			return seen, err
		}
	}
	for i, ref := range refs {
		base, err := content.BaseOf(ref, items[read+len(refs)+i])
		if err != nil {
			return seen, err
		}
		if base.Head.Erased() {
			seen.erased = append(seen.erased, ref)
		}
		if len(refs) == 1 {
			seen.head = base
		}
	}
	return seen, nil
}

// apart processes a message whose run id belongs to a run of other entities, as can
// happen if two deliveries share a name. The message must neither end with that run
// nor retry it, so it gets a run of its own. The new id depends on nothing but the
// message: a redelivery finds the same run.
func (e *Engine) apart(ctx context.Context, msg Message, isolated bool) Verdict {
	taken := msg.RunID
	msg.RunID = msg.OwnRunID()
	ctx = trace.With(ctx, msg.TraceParent, msg.RunID)
	e.warn(ctx, surgical.Run{Request: msg.Request}, "run_id_taken", "taken_by", taken)
	return e.Process(ctx, msg, isolated)
}

// runOf returns the run that the message asks for: the one of its own id, or
// the last of the chain that retries it. A run without a row yet has an empty
// Status. Another delivery of a webhook whose run failed or was cancelled begins
// a retry; a redelivery of the same message never does.
func (e *Engine) runOf(ctx context.Context, msg Message, seen sight) (surgical.Run, error) {
	if seen.run == nil {
		return surgical.Run{Request: msg.Request}, nil
	}
	run := *seen.run
	for !slices.Contains(run.MessageIDs, msg.ID) && run.RetriedBy != "" {
		next, err := e.Ledger.Run(ctx, run.RetriedBy)
		if err != nil {
			return run, err
		}
		if !next.SameEntities(msg.Request) {
			return run, nil // a retry of some of the targets has its own message
		}
		run = next
	}
	unsuccessful := run.Status == surgical.StatusFailed || run.Status == surgical.StatusCancelled
	if !unsuccessful || msg.Origin != surgical.OriginWebhook || slices.Contains(run.MessageIDs, msg.ID) {
		return run, nil
	}
	retry := msg.Request
	retry.Evidence = run.Evidence.Merge(msg.Evidence)
	retry.Origin, retry.RetryOf, retry.RunID = surgical.OriginRetry, run.RunID, surgical.RunID(surgical.OriginRetry, run.RunID)
	return e.Ledger.Retry(ctx, run, retry, msg.ID)
}

// coverage returns the id of the run that already covers the message's event, so
// that it needs no request to GitLab, or how long a webhook's refetch has to
// wait.
func (e *Engine) coverage(ctx context.Context, msg Message, run surgical.Run, base *content.Base) (covering string, wait time.Duration, err error) {
	if base == nil || !base.Head.Exists() || !mayCoalesce(msg, run) {
		return "", 0, nil
	}
	head, webhook := base.Head, run.Origin == surgical.OriginWebhook
	if run.Evidence, err = e.confirmable(ctx, run, false); err != nil {
		return "", 0, err
	}
	covered := run.CoveredBy(head)
	switch {
	case covered && (webhook || run.Origin == surgical.OriginFollowUp):
		return head.RunID, 0, nil
	case covered:
		covering, err = e.ifDoingTheSame(ctx, head.RunID, run.Options)
		return covering, 0, err
	case webhook:
		return "", head.FetchedAt.Add(surgical.RefetchInterval).Sub(e.Clock()), nil
	}
	return "", 0, nil
}

// confirmable returns the part of the run's evidence that its fetches can confirm:
// of an internal note only if this token was ever shown one of the project. shown
// reports that it is now.
func (e *Engine) confirmable(ctx context.Context, run surgical.Run, shown bool) (surgical.Evidence, error) {
	if !run.Evidence.OfInternalNote() {
		return run.Evidence, nil
	}
	known, err := e.Ledger.ShowsInternalNotes(ctx, run.ProjectID)
	switch {
	case err != nil:
		return surgical.Evidence{}, err
	case !known && shown:
		return run.Evidence, e.Ledger.SawInternalNote(ctx, run.ProjectID)
	case !known:
		return run.Evidence.WithoutInternalNote(), nil
	}
	return run.Evidence, nil
}

// mayCoalesce reports whether the run may end as covered by another run's fetch:
// a webhook's and a follow-up's always may, any other only if a message before it
// in its batch brought the fetch. A preflight and a hide run have to look for
// themselves, a drain fetches nothing, and a retry has to do what was left undone.
func mayCoalesce(msg Message, run surgical.Run) bool {
	if len(run.Targets) != 1 || run.Options.PreflightOnly || run.Origin == surgical.OriginDrain || run.Origin == surgical.OriginHide {
		return false
	}
	announced := run.Origin == surgical.OriginWebhook || run.Origin == surgical.OriginFollowUp
	return announced || msg.SharesFetch && run.RetryOf == ""
}

// ifDoingTheSame returns the id of the run if its options are these. Otherwise
// it does not treat documents and embeddings as the message requests.
func (e *Engine) ifDoingTheSame(ctx context.Context, runID string, options surgical.Options) (string, error) {
	run, err := e.Ledger.Run(ctx, runID)
	if surgical.CodeOf(err) == surgical.CodeRunNotFound || err == nil && run.Options != options {
		return "", nil
	}
	return run.RunID, err
}

// deaths is how many workers died while they held a run that nobody holds now:
// those that were counted, and the one whose expired lease is still there.
func deaths(run surgical.Run) int64 {
	if run.LeaseUntil.IsZero() {
		return run.LostLeases
	}
	return run.LostLeases + 1
}

// ended is the verdict on a message whose run is terminal. A run that was lost
// moves the message that requested it to the dead-letter queue, however many
// deliveries that takes.
func ended(run surgical.Run, msg Message) Verdict {
	if run.Error != nil && run.Error.Code == surgical.CodeRunLost && slices.Contains(run.MessageIDs, msg.ID) {
		return DeadLetter{}
	}
	return Done{}
}

// lost ends a run over which too many workers died.
func (e *Engine) lost(ctx context.Context, run surgical.Run, msg Message) Verdict {
	e.warn(ctx, run, "lost", "lost_leases", deaths(run))
	why := surgical.NewError(surgical.CodeRunLost, "five workers ended while they held the run")
	closed, err := e.Ledger.Close(ctx, run, surgical.Lost{Attempt: run.Attempt, Error: why})
	switch {
	case errors.Is(err, surgical.ErrMoved) && closed.Committed():
		return e.afterCommit(ctx, closed, nil)
	case err != nil:
		return e.unknown(err)
	}
	closed.LogClosed(ctx, e.Log)
	return ended(closed, msg)
}

// hasTime reports whether the function may run for another d.
func hasTime(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > d
}
