package surgical

import (
	"slices"
	"time"
)

// DirtySource is a row of dirty_sources: children of one entity whose
// documents or embeddings are not current.
type DirtySource struct {
	ID        string
	Ref       EntityRef
	RunID     string
	Revision  int64
	Scope     Scope
	CreatedAt time.Time
}

// Empty reports whether the scope names no documents.
func (s Scope) Empty() bool { return !s.All && !s.Hide && len(s.Children) == 0 }

// Union returns the scope that covers both.
func (s Scope) Union(o Scope) Scope {
	union := Scope{All: s.All || o.All, Hide: s.Hide || o.Hide}
	if union.All {
		return union
	}
	union.Children = slices.Concat(s.Children, o.Children)
	slices.Sort(union.Children)
	union.Children = slices.Compact(union.Children)
	if len(union.Children) > MaxNamedChildren {
		union.All, union.Children = true, nil
	}
	return union
}
