package search

import (
	"context"
	"fmt"
	"iter"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Walk yields all entities that have a head, project by project, starting after the
// entity; nil starts at the first. limit is how many are listed at a time.
type Walk func(ctx context.Context, after *surgical.EntityRef, limit int) iter.Seq2[[]surgical.EntityRef, error]

// Projects lists the projects that have copies.
type Projects interface {
	// ProjectsAfter yields the projects after the id, in the order of their ids.
	ProjectsAfter(ctx context.Context, after int64, atOnce int) iter.Seq2[surgical.Project, error]
}

// Entities lists the entities of a project.
type Entities interface {
	// Entities lists up to limit entities after the target, shown or not, and whether
	// there are more.
	Entities(ctx context.Context, projectID int64, after surgical.Target, limit int) (refs []surgical.EntityRef, more bool, err error)
}

// projectsAtOnce is how many projects are listed at a time.
const projectsAtOnce = 100

// WalkOf returns the walk through all entities of all projects.
func WalkOf(projects Projects, entities Entities) Walk {
	return func(ctx context.Context, after *surgical.EntityRef, limit int) iter.Seq2[[]surgical.EntityRef, error] {
		return func(yield func([]surgical.EntityRef, error) bool) {
			var first int64
			var target surgical.Target
			if after != nil {
				first, target = after.ProjectID, after.Target
			}
			// The project of the last entity may have more of them.
			for project, err := range projects.ProjectsAfter(ctx, max(first-1, 0), projectsAtOnce) {
				if err != nil {
					yield(nil, fmt.Errorf("list projects: %w", err))
					return
				}
				from := surgical.Target{}
				if project.ID == first {
					from = target
				}
				for more := true; more; {
					var refs []surgical.EntityRef
					refs, more, err = entities.Entities(ctx, project.ID, from, limit)
					if err != nil || len(refs) > 0 && !yield(refs, nil) {
						if err != nil {
							yield(nil, err)
						}
						return
					}
					if len(refs) == 0 {
						break
					}
					from = refs[len(refs)-1].Target
				}
			}
		}
	}
}
