package surgical

import "time"

// Head is the version of an entity that readers see. The zero Head (revision 0)
// means that the entity has none yet.
type Head struct {
	Ref      EntityRef
	Revision int64
	// UpdatedAt is GitLab's; FetchedAt and FetchedUntil enclose the fetch that
	// the head shows.
	UpdatedAt, FetchedAt, FetchedUntil time.Time
	// RunID is the run that committed the head.
	RunID string
	// DocumentsVisibleFrom hides documents and embeddings of older revisions.
	DocumentsVisibleFrom int64
	Attributes           Attributes
}

// Exists reports whether the entity was ever committed.
func (h Head) Exists() bool { return h.Revision > 0 }

// Covers reports whether the head shows a fetch that covers an event received
// at eventAt.
func (h Head) Covers(eventAt time.Time) bool { return h.Exists() && Covers(h.FetchedAt, eventAt) }

// Covers reports whether a fetch that began at fetchedAt covers an event
// received at eventAt.
func Covers(fetchedAt, eventAt time.Time) bool { return fetchedAt.After(eventAt.Add(Settle)) }

// Accepts is the guard: it reports whether the snapshot may replace the head.
// Fetches that become visible never overlap, and neither clock goes back.
// Equal updated_at is accepted, because GitLab advances it at most once a minute.
// The commit's condition expresses the same in DynamoDB.
func (h Head) Accepts(s Snapshot) bool {
	return !h.Exists() || !h.UpdatedAt.After(s.UpdatedAt) && !h.FetchedUntil.After(s.FetchedAt)
}
