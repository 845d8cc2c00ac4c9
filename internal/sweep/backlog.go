package sweep

import (
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
	b := batches{sweeper: s, report: report, projects: map[int64]map[surgical.Target][]string{}}
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
	for _, project := range slices.Sorted(maps.Keys(b.projects)) {
		if err := s.drain(ctx, project, b.projects[project], report); err != nil {
			return err
		}
	}
	return nil
}

// batches are the entities that are to be drained together, by project.
type batches struct {
	sweeper  *Sweeper
	report   *Report
	projects map[int64]map[surgical.Target][]string
	// embedded is when the embedder last worked; nil if it was not looked up.
	embedded *time.Time
	// refused are the rows of the entity that the embedder refused longest ago, and
	// refusedAt is when it last refused any.
	refused   []surgical.Leftover
	refusedAt time.Time
}

// add takes the rows of one entity, if they are due.
func (b *batches) add(ctx context.Context, rows []surgical.Leftover) error {
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
	return b.take(ctx, rows)
}

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
	return b.take(ctx, b.refused)
}

// take drains the entity: by itself if a run failed over it, else together with
// others.
func (b *batches) take(ctx context.Context, rows []surgical.Leftover) error {
	project, target := rows[0].Ref.ProjectID, rows[0].Ref.Target
	var ids []string
	isolated := false
	for _, row := range rows {
		ids = append(ids, row.ID)
		isolated = isolated || row.Failures() > 0
	}
	if isolated {
		return b.sweeper.drain(ctx, project, map[surgical.Target][]string{target: ids}, b.report)
	}
	if len(b.projects[project]) == surgical.MaxTargets {
		if err := b.sweeper.drain(ctx, project, b.projects[project], b.report); err != nil {
			return err
		}
		delete(b.projects, project)
	}
	if b.projects[project] == nil {
		b.projects[project] = map[surgical.Target][]string{}
	}
	b.projects[project][target] = ids
	return nil
}

func (s *Sweeper) drain(ctx context.Context, project int64, sources map[surgical.Target][]string, report *Report) error {
	targets := slices.SortedFunc(maps.Keys(sources), surgical.Target.Compare)
	var key strings.Builder
	fmt.Fprintf(&key, "%d %d\n", project, s.Clock().Truncate(surgical.DrainInterval).Unix())
	for _, target := range targets {
		slices.Sort(sources[target])
		fmt.Fprintf(&key, "%s %q\n", target, sources[target])
	}
	req := surgical.Request{
		RunID: surgical.RunID(surgical.OriginDrain, key.String()), ProjectID: project,
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
