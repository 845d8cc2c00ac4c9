package surgical

import "time"

// Head is the newest version of an entity. The zero Head (revision 0) means that
// the entity has none yet. [Visible] decides whether readers see it.
type Head struct {
	Ref      EntityRef
	Revision int64
	// UpdatedAt is GitLab's; FetchedAt and FetchedUntil enclose the fetch that
	// the head shows, or that no longer found the entity. They are zero as long as
	// nothing was fetched.
	UpdatedAt, FetchedAt, FetchedUntil time.Time
	// RunID is the run that committed the head.
	RunID string
	// DocumentsVisibleFrom hides documents and embeddings of older revisions.
	DocumentsVisibleFrom int64
	// ChangedRevision is the last revision that changed content. Heads of earlier
	// versions do not say: it is their own revision then.
	ChangedRevision int64
	// Notes are the marks of the fetch's notes, without Internal; zero on heads
	// of earlier versions.
	Notes Notes
	// UserNotesCount is GitLab's count of comments in that fetch.
	UserNotesCount int64
	// UnseenComments is how many of these comments the fetch did not show; 0 also on
	// heads of earlier versions.
	UnseenComments int64
	// HiddenSince is the time since which the entity may not be shown as public;
	// zero: it may. Gone marks a tombstone.
	HiddenSince time.Time
	Gone        bool
	// ErasedAt is when the entity was erased: until that is lifted, no fetch replaces
	// the head. It is zero otherwise.
	ErasedAt time.Time
	// Listed reports whether lists by state and time find the head. Heads of earlier
	// versions are not listed, and lack what only lists show.
	Listed     bool
	Attributes Attributes
}

// Exists reports whether the entity was ever committed.
func (h Head) Exists() bool { return h.Revision > 0 }

// Erased reports whether an operator had the entity removed, and kept out.
func (h Head) Erased() bool { return !h.ErasedAt.IsZero() }

// HasCopy reports whether the head names a copy, as neither a tombstone does nor
// a head that only hides what is not stored yet, or keeps out what was erased.
func (h Head) HasCopy() bool { return h.Exists() && !h.Gone && !h.Erased() && !h.FetchedAt.IsZero() }

// Covers reports whether the head shows a fetch that covers an event received
// at eventAt.
func (h Head) Covers(eventAt time.Time) bool { return h.Exists() && Covers(h.FetchedAt, eventAt) }

// Covers reports whether a fetch that began at fetchedAt covers an event
// received at eventAt.
func Covers(fetchedAt, eventAt time.Time) bool { return fetchedAt.After(eventAt.Add(Settle)) }

// Accepts is the guard: it reports whether the snapshot may replace the head.
// Fetches that become visible never overlap. An older updated_at is accepted
// only by a fetch that began the confirmation time after the head's had ended: a
// lagging replica must not take the copy back, but a date that was set back, or
// lay in the future, must not keep it from ever changing. Equal updated_at is
// accepted, because GitLab moves it at most once a minute. That an entity is
// missing is accepted only from a fetch that began the confirmation time after the
// head's had ended: a replica may not have it yet. Nothing replaces the head of an
// entity that was erased. The commit's condition says the same to DynamoDB.
func (h Head) Accepts(s Snapshot) bool {
	if h.Erased() {
		return false
	}
	if s.Missing {
		return h.HasCopy() && !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))
	}
	return !h.Exists() || !h.Overlaps(s) &&
		(!h.UpdatedAt.After(s.UpdatedAt) || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation)))
}

// HiddenFrom returns since when a delivery that was received at eventAt, and called
// the issue confidential, hides the head. It does not if the head's fetch began the
// confirmation time after the event had settled: whatever that saw is believed. Of an
// erased entity, there is nothing to hide.
func (h Head) HiddenFrom(eventAt time.Time) (since time.Time, hides bool) {
	since = eventAt.Add(Settle)
	if h.Erased() || h.HasCopy() && !h.FetchedAt.Before(since.Add(Confirmation)) {
		return time.Time{}, false
	}
	return later(h.HiddenSince, since), true
}

// StaysHidden returns the HiddenSince of a head that replaces this one. Only a public
// copy whose fetch began the confirmation time later lifts it: neither a date nor an
// earlier confidential copy proves that a replica did not lag.
func (h Head) StaysHidden(fetchedAt time.Time, confidential bool) time.Time {
	if !confidential && !fetchedAt.Before(h.HiddenSince.Add(Confirmation)) {
		return time.Time{}
	}
	return h.HiddenSince
}

// Overlaps reports whether the snapshot's fetch began before the head's had
// ended: neither is known to be the newer one.
func (h Head) Overlaps(s Snapshot) bool { return h.FetchedUntil.After(s.FetchedAt) }
