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

// drainInterval is how often the same dirty sources are asked to be drained:
// a drain run that failed before it took them over is not repeated sooner.
const drainInterval = 6 * time.Hour

// backlog asks for drain runs, of up to 25 entities of one project each. A run
// is named after the dirty sources that it is for, so asking again asks for the
// same run; one that was claimed already is not asked for.
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
			sent, err := s.drain(ctx, project, some, projects[project])
			if err != nil {
				return err
			}
			if sent {
				report.Drained += len(some)
			}
		}
	}
	return nil
}

func (s *Sweeper) drain(ctx context.Context, project int64, targets []surgical.Target, sources map[surgical.Target][]string) (bool, error) {
	var key strings.Builder
	fmt.Fprintf(&key, "%d %d\n", project, s.Clock().Truncate(drainInterval).Unix())
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
		return false, err
	}
	if err := s.Bulk.Send(ctx, req); err != nil {
		return false, fmt.Errorf("send drain run %s: %w", req.RunID, err)
	}
	return true, nil
}
