package surgical

import (
	"slices"
	"strings"
	"time"
)

// GiveUp returns a reconcile that remembers entities which it fetches in no further
// cycle, although their copies do not show what was listed. It remembers at most
// [MaxGivenUp] of them, and since when there were more.
func (p Pass) GiveUp(some []Awaited, now time.Time) Pass {
	for _, a := range some {
		p.GivenUp = slices.DeleteFunc(slices.Clone(p.GivenUp), func(known Awaited) bool { return known.Target == a.Target })
		if len(p.GivenUp) == MaxGivenUp {
			p.MoreSince = now
			continue
		}
		p.GivenUp = append(p.GivenUp, a)
	}
	return p
}

// TakeUp returns a reconcile that no longer remembers the entities whose copies show
// what was listed by now, or that a backfill has looked at since.
func (p Pass) TakeUp(heads map[EntityRef]Head, project Project) Pass {
	p.GivenUp = slices.DeleteFunc(slices.Clone(p.GivenUp), func(a Awaited) bool {
		return a.ListedAt.Before(project.CompleteSince) || a.Settled(heads[EntityRef{p.ProjectID, a.Target}], project.HiddenAt)
	})
	if p.MoreSince.Before(project.CompleteSince) {
		p.MoreSince = time.Time{}
	}
	return p
}

// Except returns the entities of which a reconcile cannot say that the copy is
// complete, and false if it does not remember all of them.
func (p Pass) Except() (targets []Target, all bool) {
	for _, a := range p.GivenUp {
		targets = append(targets, a.Target)
	}
	slices.SortFunc(targets, Target.Compare)
	return targets, p.MoreSince.IsZero()
}

// ShortTargets lists targets as GitLab abbreviates them: "#7, !12".
func ShortTargets(targets []Target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Short())
	}
	return strings.Join(names, ", ")
}
