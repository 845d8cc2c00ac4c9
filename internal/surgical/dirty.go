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
	// Attempts counts the runs that failed over it before its own run.
	Attempts int64
	// Since is when the oldest of the changes was committed; zero stands for CreatedAt.
	Since time.Time
}

// BehindSince is when the oldest of the changes was committed.
func (d DirtySource) BehindSince() time.Time {
	if d.Since.IsZero() {
		return d.CreatedAt
	}
	return d.Since
}

// With returns the source, covering also what was left behind.
func (d DirtySource) With(left []Leftover) DirtySource {
	since := d.BehindSince()
	for _, old := range left {
		d.Scope = d.Scope.Union(old.Scope)
		d.Revision = max(d.Revision, old.Revision)
		d.Attempts = max(d.Attempts, old.Failures())
		if old.BehindSince().Before(since) {
			since = old.BehindSince()
			d.Since = since
		}
	}
	return d
}

// Leftover is a dirty source whose run has ended.
type Leftover struct {
	DirtySource
	// FailedAt is when its run failed over it. It is zero if the run left it on
	// purpose, was cancelled or is no longer in the ledger.
	FailedAt time.Time
	// OnPurpose reports that its run succeeded: it was asked to leave documents or
	// embeddings undone.
	OnPurpose bool
	// Blocked reports that the embedder failed for a reason that only an operator
	// can remove, such as a revoked key.
	Blocked bool
}

// BacklogScan is how far the sweeper has read the backlog. The zero value is the
// beginning.
type BacklogScan struct {
	After DirtyKey
	// Refused is the entity that the embedder refused longest ago, at FirstRefusedAt,
	// and RefusedAt is when it last refused any, among those that were read. Zero
	// times mean none.
	Refused                   EntityRef
	FirstRefusedAt, RefusedAt time.Time
}

// DirtyKey names a dirty source.
type DirtyKey struct {
	Ref EntityRef
	ID  string
}

// LeftBy returns the source as the run, which has ended, left it.
func (d DirtySource) LeftBy(run Run) Leftover {
	left := Leftover{DirtySource: d, OnPurpose: run.Status == StatusSucceeded}
	if run.Status != StatusFailed {
		return left
	}
	left.FailedAt = run.FinishedAt
	if run.Error == nil {
		return left
	}
	for _, f := range run.Error.Failures {
		if f.Target == d.Ref.Target {
			left.Blocked = f.Code == CodeEmbedFailed && !f.Retryable
		}
	}
	return left
}

// LeftAt is when the source was left: when its run failed over it or, if it did not
// fail, when it was inserted.
func (l Leftover) LeftAt() time.Time {
	if l.FailedAt.IsZero() {
		return l.CreatedAt
	}
	return l.FailedAt
}

// Failures counts the runs that failed over the source, its own included.
func (l Leftover) Failures() int64 {
	if l.FailedAt.IsZero() {
		return l.Attempts
	}
	return l.Attempts + 1
}

// DueAt is when the source may be drained. The delay doubles with every failure,
// from [BacklogAge] to [MaxBacklogDelay].
func (l Leftover) DueAt() time.Time {
	if l.FailedAt.IsZero() {
		return l.CreatedAt.Add(BacklogAge)
	}
	doublings := min(l.Attempts, 10)
	return l.FailedAt.Add(min(MaxBacklogDelay, BacklogAge<<doublings))
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
