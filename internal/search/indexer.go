package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Indexer keeps an index current. Any number of them may work at a time. With a Builder it
// only follows the changes, in little memory, and leaves to the builder what may take
// memory and temporary storage for all of the index: rebuilds, compactions, changes of many
// bytes at once, and whatever an indexer died of.
type Indexer struct {
	Engine  Engine
	Source  Source
	Content Content
	Walk    Walk
	// Model is that of the vectors that are indexed; "" indexes none.
	Model string
	// Builder starts an indexer without a Builder, and returns without waiting for it; nil
	// in that indexer itself.
	Builder func(context.Context) error
	Log     *slog.Logger
}

const (
	// entitiesAtOnce is how many entities one batch of changes has at most, and
	// documentsAtOnce after how many documents no further entity is added to it.
	entitiesAtOnce  = 100
	documentsAtOnce = 250
	// collectors is how many entities are read at a time.
	collectors = 8
	// reserve is the part of an invocation in which no batch is begun.
	reserve = 15 * time.Second
	// maxMoves is how often an indexer begins again because others moved the index.
	maxMoves = 20
)

// Handle runs the indexer if no other one works, and again as long as others were started
// in the meantime. So a burst of changes is followed by one indexer, not by one for each.
// It starts the builder once at most, after it has given back its turn. If the builder does
// not do what it was started for, the next indexer starts it again; while it works, others
// cannot get the turn.
func (i *Indexer) Handle(ctx context.Context, turn *manifest.Turn) error {
	mine, err := turn.Begin(ctx)
	if err != nil || !mine {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go i.extend(ctx, turn)
	for again := true; again; {
		if err = i.unlessRanOut(ctx, turn); err != nil || !timeLeft(ctx) {
			break
		}
		if again, err = turn.End(ctx); err == nil && !again {
			return nil
		}
	}
	// What others were started for is found by the next one, within [surgical.IndexInterval].
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if left := turn.Leave(leaving); left != nil {
		return errors.Join(err, left)
	}
	return i.handOver(ctx, err)
}

// unlessRanOut runs the indexer, unless the one before it died: that may have been of
// something that only the builder has the memory for.
func (i *Indexer) unlessRanOut(ctx context.Context, turn *manifest.Turn) error {
	if i.Builder != nil && turn.RanOut() {
		return forBuilder("an indexer died")
	}
	return i.run(ctx)
}

// forBuilder says why the rest is left to the builder.
type forBuilder string

// Error implements error.
func (why forBuilder) Error() string { return "left to the builder of the index: " + string(why) }

// handOver starts the builder if err leaves something to it, and returns any other error.
func (i *Indexer) handOver(ctx context.Context, err error) error {
	var why forBuilder
	if !errors.As(err, &why) {
		return err
	}
	i.Log.InfoContext(ctx, "index_handed_over", "reason", string(why))
	if err := i.Builder(ctx); err != nil {
		return fmt.Errorf("start the builder of the index: %w", err)
	}
	return nil
}

// extend keeps the turn until ctx ends. If that fails for long, another indexer begins as
// well, which costs reads and breaks nothing.
func (i *Indexer) extend(ctx context.Context, turn *manifest.Turn) {
	tick := time.NewTicker(surgical.IndexerExtends)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := turn.Extend(ctx); err != nil && ctx.Err() == nil {
				i.Log.WarnContext(ctx, "turn_not_extended", "error", err.Error())
			}
		}
	}
}

// leaveTime is how long giving back the turn may take.
const leaveTime = 5 * time.Second

// Run follows the source to its end, or until the time of ctx is nearly over, and
// maintains the index: also on the way, because a process that starts to search has to add
// everything behind the base before it answers.
func (i *Indexer) Run(ctx context.Context) error { return i.handOver(ctx, i.run(ctx)) }

// run is [Indexer.Run]. What is left to the builder is an error.
func (i *Indexer) run(ctx context.Context) error {
	batches, documents := 0, 0
	for moves := 0; ; {
		at, rebuild, err := i.Engine.Position(ctx)
		if err != nil {
			return fmt.Errorf("read the position of the index: %w", err)
		}
		if rebuild != "" {
			return i.rebuild(ctx, rebuild)
		}
		more, added, err := i.follow(ctx, at)
		switch {
		case errors.Is(err, ErrRestarted):
			return i.rebuild(ctx, "the source of changes restarted")
		case errors.Is(err, ErrDamaged):
			return i.rebuild(ctx, "damaged")
		case errors.Is(err, ErrMoved) && moves < maxMoves:
			moves++
			continue
		case errors.Is(err, ErrMoved):
			return nil // others keep the index current
		case err != nil:
			return err
		}
		if !more || !timeLeft(ctx) {
			_, err := i.maintain(ctx)
			return err
		}
		batches, documents = batches+1, documents+added
		if batches == surgical.MaxIndexBatches || documents > surgical.MaxBatchedDocuments {
			batches, documents = 0, 0
			if rebuilt, err := i.maintain(ctx); rebuilt || err != nil {
				return err
			}
		}
	}
}

// maintain maintains the index, compacts it if that is due, and rebuilds it if it is
// damaged.
func (i *Indexer) maintain(ctx context.Context) (rebuilt bool, err error) {
	due, err := i.Engine.Maintain(ctx)
	switch {
	case err == nil && due && i.Builder != nil:
		return false, forBuilder("a compaction")
	case err == nil && due:
		err = i.Engine.Compact(ctx)
	}
	if errors.Is(err, ErrDamaged) {
		return true, i.rebuild(ctx, "damaged")
	}
	if err != nil {
		return false, fmt.Errorf("maintain the index: %w", err)
	}
	return false, nil
}

func timeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > reserve
}

// follow adds the next changes of the source, and returns of how many documents.
func (i *Indexer) follow(ctx context.Context, at Position) (more bool, documents int, err error) {
	changed, err := i.Source.After(ctx, at, entitiesAtOnce)
	if err != nil {
		return false, 0, err
	}
	var changes []Change
	if len(changed.Refs) > 0 { // otherwise nobody has to read what is known
		known, err := i.Engine.Known(ctx, changed.Refs)
		if err != nil {
			return false, 0, err
		}
		if changes, err = i.collect(ctx, changed, known); err != nil {
			return false, 0, err
		}
	}
	part := firstPart(changes)
	if len(part) < len(changes) {
		// The rest is found again from the same position.
		changed.To, changed.More = at, true
	}
	if err := i.Engine.Apply(ctx, at, changed.To, part); err != nil {
		return false, 0, err
	}
	if len(part) > 0 {
		i.Log.InfoContext(ctx, "indexed", "entities", len(part), "documents", documentsOf(part))
	}
	return changed.More, documentsOf(part), nil
}

// firstPart returns the first changes, of some [documentsAtOnce] documents.
func firstPart(changes []Change) []Change {
	for n := range changes {
		if documentsOf(changes[:n+1]) >= documentsAtOnce {
			return changes[:n+1]
		}
	}
	return changes
}

func documentsOf(changes []Change) int {
	n := 0
	for _, change := range changes {
		n += len(change.Put) + len(change.Removed)
	}
	return n
}

// collect reads what has to change about the entities of which something changed. If there
// is a builder, and it is more than [surgical.MaxFollowedBytes], that is left to the builder.
func (i *Indexer) collect(ctx context.Context, changed Changed, known map[surgical.EntityRef]Entry) ([]Change, error) {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var bytes atomic.Int64
	c := collector{content: i.Content, model: i.Model, read: func(d Document) {
		if bytes.Add(d.bytes()) > surgical.MaxFollowedBytes && i.Builder != nil {
			stop(forBuilder("a change of many bytes"))
		}
	}}
	found := make([]*Change, len(changed.Refs))
	group, ctx := parallel.WithContext(reading)
	group.SetLimit(collectors)
	for n, ref := range changed.Refs {
		group.Go(func() error {
			entry, exists := known[ref]
			change, differs, err := c.change(ctx, ref, changed.Documents[ref], entry, exists)
			if err == nil && differs {
				found[n] = &change
			}
			return err
		})
	}
	err := group.Wait()
	var why forBuilder
	if errors.As(context.Cause(reading), &why) {
		return nil, why
	}
	if err != nil {
		return nil, fmt.Errorf("read what changed: %w", err)
	}
	var changes []Change
	for _, change := range found {
		if change != nil {
			changes = append(changes, *change)
		}
	}
	return changes, nil
}

// rebuild indexes everything anew, or leaves that to the builder.
func (i *Indexer) rebuild(ctx context.Context, why string) error {
	if i.Builder != nil {
		return forBuilder("a rebuild: " + why)
	}
	i.Log.InfoContext(ctx, "index_rebuild", "reason", why)
	// What changes while the entities are read comes after this position.
	at, err := i.Source.Now(ctx)
	if err != nil {
		return fmt.Errorf("rebuild the index: %w", err)
	}
	if err := i.Engine.Rebuild(ctx, at, i.everything(ctx)); err != nil {
		return fmt.Errorf("rebuild the index: %w", err)
	}
	return nil
}

// everything yields all entities that are shown, with all their documents.
func (i *Indexer) everything(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for refs, err := range i.Walk(ctx, nil, entitiesAtOnce) {
			var changes []Change
			if err == nil {
				changes, err = i.collect(ctx, Changed{Refs: refs}, nil)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, change := range changes {
				if !yield(change, nil) {
					return
				}
			}
		}
	}
}
