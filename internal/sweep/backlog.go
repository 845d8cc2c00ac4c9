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

// backlogAge is how old a dirty source of an ended run gets before it is
// drained: time for a retry to come first.
const backlogAge = 15 * time.Minute

// backlog asks for drain runs, of up to 25 entities of one project each. A run
// is named after the dirty sources that it is for, so asking again before it
// ran asks for the same run.
func (s *Sweeper) backlog(ctx context.Context, report *Report) error {
	projects := map[int64]map[surgical.Target][]string{}
	for source, err := range s.Ledger.Backlog(ctx, s.Clock().Add(-backlogAge)) {
		if err != nil {
			return err
		}
		targets := projects[source.Ref.ProjectID]
		if targets == nil {
			targets = map[surgical.Target][]string{}
			projects[source.Ref.ProjectID] = targets
		}
		targets[source.Ref.Target] = append(targets[source.Ref.Target], source.ID)
	}
	for _, project := range slices.Sorted(maps.Keys(projects)) {
		targets := slices.SortedFunc(maps.Keys(projects[project]), surgical.Target.Compare)
		for some := range slices.Chunk(targets, surgical.MaxTargets) {
			if err := s.drain(ctx, project, some, projects[project]); err != nil {
				return err
			}
			report.Drained += len(some)
		}
	}
	return nil
}

func (s *Sweeper) drain(ctx context.Context, project int64, targets []surgical.Target, sources map[surgical.Target][]string) error {
	var key strings.Builder
	for _, target := range targets {
		slices.Sort(sources[target])
		fmt.Fprintf(&key, "%s %q\n", target, sources[target])
	}
	req := surgical.Request{
		RunID: surgical.RunID(surgical.OriginDrain, fmt.Sprintf("%d\n%s", project, key.String())), ProjectID: project,
		Targets: targets, Origin: surgical.OriginDrain, EventAt: s.Clock(),
	}
	if err := s.Bulk.Send(ctx, req); err != nil {
		return fmt.Errorf("send drain run %s: %w", req.RunID, err)
	}
	return nil
}
