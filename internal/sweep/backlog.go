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
// requested. If the time does not suffice for the whole backlog, the next sweep goes
// on where this one stopped.
func (s *Sweeper) backlog(ctx context.Context, report *Report) error {
	began, err := s.Ledger.BacklogScan(ctx)
	if err != nil {
		return err
	}
	b := batches{sweeper: s, report: report, scan: began, open: map[batch]map[surgical.Target][]string{}, requests: map[int64]time.Time{}}
	done, err := b.read(ctx)
	if err != nil {
		return err
	}
	if done {
		if err := b.probe(ctx); err != nil {
			return err
		}
		b.scan = surgical.BacklogScan{}
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.open), batch.compare) {
		if err := s.drain(ctx, key, b.open[key], report); err != nil {
			return err
		}
	}
	if b.scan == began {
		return nil
	}
	return s.Ledger.SetBacklogScan(ctx, b.scan)
}

// read adds the entities of the backlog one by one, and reports whether it reached
// the end of it. It leaves [surgical.SweepReserve] for what follows.
func (b *batches) read(ctx context.Context) (done bool, err error) {
	reading, cancel := share(ctx, 1)
	defer cancel()
	var rows []surgical.Leftover // of one entity: they are adjacent in the scan
	for source, err := range b.sweeper.Ledger.Backlog(reading, b.sweeper.Clock(), b.scan.After) {
		if err == nil && len(rows) > 0 && rows[0].Ref != source.Ref {
			err = b.add(reading, rows)
			rows = nil
		}
		if err != nil {
			return false, b.cut(ctx, reading, err)
		}
		rows = append(rows, source)
	}
	if len(rows) > 0 {
		if err := b.add(reading, rows); err != nil {
			return false, b.cut(ctx, reading, err)
		}
	}
	return true, nil
}

// cut drops the error if it only says that the time for reading is over.
func (b *batches) cut(ctx, reading context.Context, err error) error {
	if reading.Err() == nil || ctx.Err() != nil {
		return err
	}
	b.sweeper.Log.WarnContext(ctx, "sweep_cut_short", "step", "backlog")
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
	scan    surgical.BacklogScan
	open    map[batch]map[surgical.Target][]string
	// requests are the newest requests to drain that were looked up, by project; 0
	// stands for all projects.
	requests map[int64]time.Time
	// embedded is when the embedder last worked; nil if it was not looked up.
	embedded *time.Time
}

// add takes the rows of one entity, if they are due or if a drain was requested after
// they were left. Rows of a project that is no longer on the allow list wait until it
// is on it again: a drain would be refused.
func (b *batches) add(ctx context.Context, rows []surgical.Leftover) error {
	if err := b.consider(ctx, rows); err != nil {
		return err
	}
	last := rows[len(rows)-1]
	b.scan.After = surgical.DirtyKey{Ref: last.Ref, ID: last.ID}
	return nil
}

func (b *batches) consider(ctx context.Context, rows []surgical.Leftover) error {
	if !b.sweeper.Allows(rows[0].Ref.ProjectID) {
		b.report.NotAllowed++
		return nil
	}
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
	embedded, err := b.embeddedAt(ctx)
	if err != nil {
		return false, err
	}
	if embedded.After(refusedAt) {
		return false, nil
	}
	if b.scan.RefusedAt.IsZero() || refusedAt.Before(b.scan.FirstRefusedAt) {
		b.scan.Refused, b.scan.FirstRefusedAt = rows[0].Ref, refusedAt
	}
	if refusedAt.After(b.scan.RefusedAt) {
		b.scan.RefusedAt = refusedAt
	}
	return true, nil
}

// embeddedAt returns when the embedder last worked.
func (b *batches) embeddedAt(ctx context.Context) (time.Time, error) {
	if b.embedded == nil {
		at, err := b.sweeper.Ledger.EmbeddedAt(ctx)
		if err != nil {
			return at, err
		}
		b.embedded = &at
	}
	return *b.embedded, nil
}

// probe drains one of the entities that the embedder refused, once it has refused
// nothing for [surgical.MaxBacklogDelay]. If it works again, the next sweep drains
// the others.
func (b *batches) probe(ctx context.Context) error {
	if b.scan.RefusedAt.IsZero() || b.scan.RefusedAt.Add(surgical.MaxBacklogDelay).After(b.sweeper.Clock()) {
		return nil
	}
	embedded, err := b.embeddedAt(ctx)
	if err != nil || embedded.After(b.scan.RefusedAt) {
		return err
	}
	left, err := b.sweeper.Ledger.LeftBehind(ctx, b.scan.Refused)
	if err != nil || len(left.Rows) == 0 {
		return err
	}
	return b.take(ctx, b.interval(), left.Rows)
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
