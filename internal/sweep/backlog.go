package sweep

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// backlog requests drain runs, each for up to 25 entities of one project, as soon
// as so many are found. An entity over which a run failed waits longer with every
// failure, and gets a drain run of its own, so that it cannot fail others. The id
// of a run is derived from the dirty sources that it is for, so requesting it
// again requests the same run. A run that is already in the ledger is not
// requested.
func (s *Sweeper) backlog(ctx context.Context, report *Report) error {
	b := batches{sweeper: s, report: report, open: map[batch]map[surgical.Target][]string{}, requests: map[int64]time.Time{}}
	var rows []surgical.Leftover // of one entity: they are adjacent in the scan
	for source, err := range s.Ledger.Backlog(ctx, s.Clock()) {
		if err != nil {
			return err
		}
		if len(rows) > 0 && rows[0].Ref != source.Ref {
			if err := b.add(ctx, rows); err != nil {
				return err
			}
			rows = nil
		}
		rows = append(rows, source)
	}
	if len(rows) > 0 {
		if err := b.add(ctx, rows); err != nil {
			return err
		}
	}
	if err := b.probe(ctx); err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.open), batch.compare) {
		if err := s.drain(ctx, key, b.open[key], report); err != nil {
			return err
		}
	}
	return nil
}

// batch is what the entities of one drain run have in common.
type batch struct {
	project int64
	// from is the request to drain that it is for, or the beginning of the
	// [surgical.DrainInterval]: one of a kind is not repeated with the same from.
	from time.Time
}

func (b batch) compare(o batch) int {
	return cmp.Or(cmp.Compare(b.project, o.project), b.from.Compare(o.from))
}

// batches are the entities that are to be drained together.
type batches struct {
	sweeper *Sweeper
	report  *Report
	open    map[batch]map[surgical.Target][]string
	// requests are the newest requests to drain that were looked up, by project; 0
	// stands for all projects.
	requests map[int64]time.Time
	// embedded is when the embedder last worked; nil if it was not looked up.
	embedded *time.Time
	// refused are the rows of the entity that the embedder refused longest ago, and
	// refusedAt is when it last refused any.
	refused   []surgical.Leftover
	refusedAt time.Time
}

// add takes the rows of one entity, if they are due or if a drain was requested after
// they were left.
func (b *batches) add(ctx context.Context, rows []surgical.Leftover) error {
	requested, err := b.requested(ctx, rows[0].Ref.ProjectID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(row surgical.Leftover) bool { return row.LeftAt().Before(requested) }) {
		return b.take(ctx, requested, rows)
	}
	blocked, err := b.blocked(ctx, rows)
	if err != nil || blocked {
		return err
	}
	old := b.sweeper.Clock().Add(-surgical.BacklogAge)
	rows = slices.DeleteFunc(rows, func(row surgical.Leftover) bool { return !row.CreatedAt.Before(old) })
	if len(rows) == 0 {
		return nil
	}
	// The row that failed most often decides: a drain takes them all.
	worst := slices.MaxFunc(rows, func(x, y surgical.Leftover) int { return int(x.Failures() - y.Failures()) })
	if worst.DueAt().After(b.sweeper.Clock()) {
		return nil
	}
	return b.take(ctx, b.interval(), rows)
}

// requested returns the newest request to drain the project. One that is older than
// [surgical.DrainInterval] has been carried out as far as it can be.
func (b *batches) requested(ctx context.Context, project int64) (time.Time, error) {
	var newest time.Time
	for _, id := range []int64{0, project} {
		at, known := b.requests[id]
		if !known {
			var err error
			if at, err = b.sweeper.Ledger.DrainRequestedAt(ctx, id); err != nil {
				return at, err
			}
			b.requests[id] = at
		}
		if at.After(newest) && at.Add(surgical.DrainInterval).After(b.sweeper.Clock()) {
			newest = at
		}
	}
	return newest, nil
}

// interval is the beginning of the current [surgical.DrainInterval].
func (b *batches) interval() time.Time { return b.sweeper.Clock().Truncate(surgical.DrainInterval) }

// blocked reports whether the embedder refused one of the entity's rows, and has
// not worked since: a drain would only fail as well.
func (b *batches) blocked(ctx context.Context, rows []surgical.Leftover) (bool, error) {
	var refusedAt time.Time
	for _, row := range rows {
		if row.Blocked && row.FailedAt.After(refusedAt) {
			refusedAt = row.FailedAt
		}
	}
	if refusedAt.IsZero() {
		return false, nil
	}
	if b.embedded == nil {
		at, err := b.sweeper.Ledger.EmbeddedAt(ctx)
		if err != nil {
			return false, err
		}
		b.embedded = &at
	}
	if b.embedded.After(refusedAt) {
		return false, nil
	}
	if b.refused == nil || refusedAt.Before(b.refused[0].FailedAt) {
		b.refused = slices.Clone(rows)
		slices.SortFunc(b.refused, func(x, y surgical.Leftover) int { return y.FailedAt.Compare(x.FailedAt) })
	}
	if refusedAt.After(b.refusedAt) {
		b.refusedAt = refusedAt
	}
	return true, nil
}

// probe drains one of the entities that the embedder refused, once it has refused
// nothing for [surgical.MaxBacklogDelay]. If it works again, the next sweep drains
// the others.
func (b *batches) probe(ctx context.Context) error {
	if b.refused == nil || b.refusedAt.Add(surgical.MaxBacklogDelay).After(b.sweeper.Clock()) {
		return nil
	}
	return b.take(ctx, b.interval(), b.refused)
}

// take drains the entity: by itself if a run failed over it, else together with
// others.
func (b *batches) take(ctx context.Context, from time.Time, rows []surgical.Leftover) error {
	key, target := batch{rows[0].Ref.ProjectID, from}, rows[0].Ref.Target
	var ids []string
	isolated := false
	for _, row := range rows {
		ids = append(ids, row.ID)
		isolated = isolated || row.Failures() > 0
	}
	if isolated {
		return b.sweeper.drain(ctx, key, map[surgical.Target][]string{target: ids}, b.report)
	}
	if len(b.open[key]) == surgical.MaxTargets {
		if err := b.sweeper.drain(ctx, key, b.open[key], b.report); err != nil {
			return err
		}
		delete(b.open, key)
	}
	if b.open[key] == nil {
		b.open[key] = map[surgical.Target][]string{}
	}
	b.open[key][target] = ids
	return nil
}

// drain requests a drain run. Its id is derived from the batch and its dirty sources.
func (s *Sweeper) drain(ctx context.Context, of batch, sources map[surgical.Target][]string, report *Report) error {
	targets := slices.SortedFunc(maps.Keys(sources), surgical.Target.Compare)
	var key strings.Builder
	fmt.Fprintf(&key, "%d %d\n", of.project, of.from.UnixMicro())
	for _, target := range targets {
		slices.Sort(sources[target])
		fmt.Fprintf(&key, "%s %q\n", target, sources[target])
	}
	req := surgical.Request{
		RunID: surgical.RunID(surgical.OriginDrain, key.String()), ProjectID: of.project,
		Targets: targets, Origin: surgical.OriginDrain, EventAt: s.Clock(),
	}
	if s.NewTrace != nil {
		req.TraceParent = s.NewTrace(ctx)
	}
	if _, err := s.Ledger.Run(ctx, req.RunID); surgical.CodeOf(err) != surgical.CodeRunNotFound {
		return err
	}
	if err := s.Bulk.Send(ctx, req); err != nil {
		return fmt.Errorf("send drain run %s: %w", req.RunID, err)
	}
	report.Drained += len(targets)
	return nil
}
