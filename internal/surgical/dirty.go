package surgical

import "time"

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
