package sweep

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// backlog requests drain runs, each for up to 25 entities of one project, as soon
// as so many are found. The id of a run is derived from the dirty sources that it
// is for, so requesting it again requests the same run. A run that is already in
// the ledger is not requested.
func (s *Sweeper) backlog(ctx context.Context, report *Report) error {
	projects := map[int64]map[surgical.Target][]string{}
	for source, err := range s.Ledger.Backlog(ctx, s.Clock().Add(-surgical.BacklogAge)) {
		if err != nil {
			return err
		}
		project, target := source.Ref.ProjectID, source.Ref.Target
		// The rows of an entity are adjacent in the scan, so the 25 are complete.
		if _, known := projects[project][target]; !known && len(projects[project]) == surgical.MaxTargets {
			if err := s.drain(ctx, project, projects[project], report); err != nil {
				return err
			}
			delete(projects, project)
		}
		if projects[project] == nil {
			projects[project] = map[surgical.Target][]string{}
		}
		projects[project][target] = append(projects[project][target], source.ID)
	}
	for _, project := range slices.Sorted(maps.Keys(projects)) {
		if err := s.drain(ctx, project, projects[project], report); err != nil {
			return err
		}
	}
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
